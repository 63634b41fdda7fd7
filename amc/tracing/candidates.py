"""Ways to cut a block: units along some axis, and the numbers of code that change with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from amc.graph import Attribute, Group
from amc.modules import kinds, numbers_of
from amc.tracing.couplings import Block
from amc.tracing.units import join


@dataclass(frozen=True)
class Candidate:
    """A block and the ways to cut it that have not failed yet, best first."""

    block: Block
    ways: tuple[tuple[Group, ...], ...]
    reason: str = ""


def with_attributes(model: nn.Module, groups: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
    """The same groups with the sets of numbers that code around them may have to change.

    Groups that one number counts the units of are one group.
    """
    seen: list[tuple[Group, ...]] = []
    heads = any(
        len(group.members[0].indices[0]) > 1 and _attributes(model, group, Choice(heads=True))
        for group in groups
        if group.members
    )
    for choice in (*_HEADS, *CHOICES) if heads else CHOICES:
        found = [replace(g, attributes=_attributes(model, g, choice)) for g in groups]
        by_numbers: dict[tuple[int, tuple[Attribute, ...]], list[Group]] = {}
        for number, group in enumerate(found):
            key = (group.units if group.attributes else -number, group.attributes)
            by_numbers.setdefault(key, []).append(group)
        together = tuple(join(alike) for alike in by_numbers.values())
        if together not in seen:
            seen.append(together)
            yield together


@dataclass(frozen=True)
class Choice:
    """Which whole numbers are taken for sizes of a group.

    Args:
        heads: Those that count units and are called heads.
        widths: Those that are a width of the group and do not count its units.
        counts: All that count units.
        above: Of the modules further up too, those that count units or are a width.
    """

    heads: bool = False
    widths: bool = False
    counts: bool = False
    above: bool = False


_NEAR = (
    Choice(),
    Choice(heads=True),
    Choice(widths=True),
    Choice(heads=True, widths=True),
    Choice(counts=True),
    Choice(counts=True, widths=True),
)
_HEADS = (Choice(heads=True, widths=True), Choice(heads=True))
"""What is likely where a number is called heads."""

CHOICES = (*_NEAR, *(replace(choice, above=True) for choice in _NEAR))
"""What is tried, one after the other: none; by name; by size; and the same further up."""


def _attributes(model: nn.Module, group: Group, choice: Choice) -> tuple[Attribute, ...]:
    """Whole numbers of the modules around the group's layers that are one of its sizes."""
    places = [*(m.indices for m in group.members), *(part.indices for part in group.slices)]
    widths = {group.units * len(indices[0]) for indices in places}
    names = [*(m.module for m in group.members), *(part.tensor for part in group.slices)]
    near = {name.rpartition(".")[0] for name in names}
    found = list(_numbers(model, near, group, widths, choice))
    if choice.above:
        above = {up for name in near for up in _above(name)} - near
        found += _numbers(model, above, group, widths, Choice(counts=True, widths=True))
    return tuple(found)


def _above(name: str) -> Iterator[str]:
    """The modules that a module lies in."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _numbers(
    model: nn.Module, owners: Iterable[str], group: Group, widths: set[int], choice: Choice
) -> Iterator[Attribute]:
    for owner in sorted(owners):
        module = model.get_submodule(owner)
        if kinds.kind_of(module) is not None:
            continue
        for name, value in sorted(numbers_of(module).items()):
            if value > 1 and value % group.units == 0:
                counts = value == group.units
                heads = (
                    counts and re.search("head", name) and not re.search("dim|size|channels", name)
                )
                wide = value in widths and (choice.counts or not counts)
                if (
                    (heads and choice.heads)
                    or (wide and choice.widths)
                    or (counts and choice.counts)
                ):
                    yield Attribute(owner, name, value // group.units)


def candidate(model: nn.Module, block: Block, ways: Sequence[tuple[Group, ...]]) -> Candidate:
    """A block with every way to cut it, each with every set of attributes."""
    every = (found for way in ways for found in with_attributes(model, way))
    return Candidate(block, tuple(every), block.reason)


def without_numbers(name: str) -> str:
    """A name that is the same for all parts that repeat."""
    return re.sub(r"\d+([a-z](?=\W|$))?", "#", name)
