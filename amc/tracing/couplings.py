"""From the labels of a forward pass to what may be cut: blocks of channels, and ways to cut each.

Where code lays channels out along several axes, as attention does with heads, a cut must take whole
rows along one of them. Which one, only a trial can tell: each way is a proposal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from torch import Tensor

from amc.tracing.elements import Elements, Runs
from amc.tracing.flow import Flow
from amc.tracing.labels import numbers
from amc.tracing.ties import Integers, Links, Ties
from amc.tracing.units import Unit

WAYS = (-2, -1, -3)
"""The axis that units are counted along, from the last: of (heads, width) first whole heads, then
a position in every head."""

ALL_OR_NONE = "its channels go all together or not at all"


@dataclass(frozen=True)
class Block:
    """Channels that are cut, or left alone, by one decision about how.

    Attributes:
        layers: The modules that make them.
        ways: Units for each way to cut that is open, best first.
        reason: Why there is none.
    """

    layers: frozenset[str]
    ways: tuple[tuple[Unit, ...], ...]
    reason: str = ""


@dataclass
class _Cell:
    """Channels that ties, links or a common layout connect.

    Attributes:
        places: (channels,) among all elements.
        signature: The sides that it touches, and how many channels of each.
        factorings: How they are laid out along several axes.
        laid_out: Whether code does that, and not the groups of a norm alone.
    """

    places: Integers
    signature: tuple[tuple[int, int], ...]
    factorings: list[Tensor] = field(default_factory=list)
    laid_out: bool = False


@dataclass(frozen=True)
class _Couplings:
    """Of one forward pass.

    Attributes:
        flow: It.
        elements: Its channels.
        ties: Of its labels.
        links: Of labels that stand for others.
    """

    flow: Flow
    elements: Elements
    ties: Ties
    links: Links

    @cached_property
    def joint(self) -> Integers:
        """(labels,) what stands for all that anything connects."""
        left, right = self.links.ends()
        rows = [np.array(numbers(one)) for one in (*self.flow.factorings, *self.flow.norm_groups)]
        first = [np.full(len(row), row[0]) for row in rows]
        every = np.concatenate([left, *first]), np.concatenate([right, *rows])
        return self.ties.joined(*every).roots

    @cached_property
    def plain(self) -> Ties:
        """Where nothing is laid out along several axes."""
        return self.ties.linked(self.links)


def blocks(flow: Flow) -> list[Block]:
    """All channels of the network's known modules, in blocks that are cut alike."""
    couplings = _Couplings(flow, Elements.of(flow), Ties.of(flow.atoms), Links.of(flow.links))
    by_signature: dict[tuple[tuple[int, int], ...], list[_Cell]] = defaultdict(list)
    for cell in _cells(couplings):
        by_signature[cell.signature].append(cell)
    return [_block(couplings, cells) for cells in by_signature.values()]


def _cells(couplings: _Couplings) -> list[_Cell]:
    """In the order of their first elements."""
    flow, joint, elements = couplings.flow, couplings.joint, couplings.elements
    roots = joint[elements.label]
    runs = Runs.of(roots, elements.side, elements.index)
    cells = {}
    for first, last in runs.parts:
        sides = zip(runs.sides[first:last], runs.sizes[first:last], strict=True)
        places = runs.order[runs.starts[first] : runs.starts[last]]
        cells[int(roots[places[0]])] = _Cell(places, tuple(sides))
    for number, laid_out in enumerate((*flow.factorings, *flow.norm_groups)):
        root = int(joint[numbers(laid_out)[0]])
        if root in cells:
            cells[root].factorings.append(laid_out)
            cells[root].laid_out |= number < len(flow.factorings)
    return list(cells.values())


def _block(couplings: _Couplings, cells: Sequence[_Cell]) -> Block:
    places = np.concatenate([cell.places for cell in cells])
    sides = [couplings.elements.sides[at] for at in set(couplings.elements.side[places].tolist())]
    makers = couplings.flow.makers
    names = {makers.get((name, side), name if side == "out" else "") for name, side in sides}
    ways, reason, laid_out = [], "", any(cell.laid_out for cell in cells)
    for labels, ties in _ties(couplings, cells, places):
        units, why = _units(couplings.elements, places, labels, ties, laid_out=laid_out)
        reason = reason or why
        if units and units not in ways:
            ways.append(units)
    if not laid_out:
        # A norm loses whole groups or places of each, whichever is finer.
        ways.sort(key=len, reverse=True)
    return Block(frozenset(names - {""}), tuple(ways), "" if ways else reason)


def _ties(
    couplings: _Couplings, cells: Sequence[_Cell], places: Integers
) -> Iterator[tuple[Integers, Ties]]:
    """The labels of some elements, and their ties in each way to cut."""
    own = couplings.elements.label[places]
    factorings = [labels for cell in cells for labels in cell.factorings]
    if not factorings:
        yield own, couplings.plain
        return
    joint = couplings.joint
    near = np.flatnonzero(np.isin(joint, joint[own]))
    ties, links = couplings.ties.among(near), couplings.links.among(near)
    for way in WAYS:
        rows = [row for labels in factorings for row in _rows(labels, way)]
        left = np.concatenate([np.full(len(row), row[0]) for row in rows])
        both = (np.searchsorted(near, side) for side in (left, np.concatenate(rows)))
        yield np.searchsorted(near, own), ties.joined(*both).linked(links)


def _rows(labels: Tensor, way: int) -> list[Integers]:
    """The labels that go together where whole rows along one axis do."""
    axis = max(way, -labels.dim())
    rows = labels.movedim(axis, 0).flatten(1).long().numpy()  # (units, channels of one)
    return [found for row in rows if len(found := row[row != 0])]


def _units(
    elements: Elements, places: Integers, labels: Integers, ties: Ties, *, laid_out: bool
) -> tuple[tuple[Unit, ...], str]:
    """The units that may go, or why none may.

    Args:
        elements: All of them.
        places: (some,) of those to look at.
        labels: (some,) theirs.
        ties: Of the labels.
        laid_out: Whether code lays them out along several axes, so that all of them may, or none.
    """
    roots = ties.roots[labels]
    why = ties.why[roots]
    free = why == len(ties.reasons)
    if not free.any() or (laid_out and not free.all()):
        return (), ties.reasons[why[~free][0]]
    own = places[free]
    index = elements.index[own]
    runs = Runs.of(roots[free], elements.side[own], index)
    whole = index[runs.order].tolist()
    every = [
        (*elements.sides[side], tuple(whole[start:end]))
        for side, start, end in zip(runs.sides, runs.starts, runs.starts[1:], strict=False)
    ]
    found = tuple(Unit(tuple(every[first:last])) for first, last in runs.parts)
    return (found, "") if len(found) > 1 else ((), ALL_OR_NONE)
