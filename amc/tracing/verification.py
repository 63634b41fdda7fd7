"""Verification: a copy cut at random ratios computes the same as the masked one, or stays whole.

Blocks of channels are tried together; where that fails, halves are, down to single blocks. Each
block goes through its proposals (ways to cut, and numbers of the code that change with a cut) until
one is sound beside all that is accepted already.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from amc.graph import Attribute, Group, KeptUnits, Layer, PruningGraph
from amc.modules import Inputs, kinds
from amc.surgery import fault
from amc.tracing.couplings import Block
from amc.tracing.units import in_order, join

TRIALS = 2
"""Random cuts that a graph must pass."""

Faulty = Callable[[Sequence[Group]], str]
"""What is wrong when these groups are cut at random; empty if nothing is."""


@dataclass(frozen=True)
class Candidate:
    """A block and the ways to cut it that have not failed yet, best first."""

    block: Block
    ways: tuple[tuple[Group, ...], ...]
    reason: str = ""


@dataclass(frozen=True)
class Verified:
    """What a trial of all blocks gave.

    Attributes:
        groups: Sound, alone and together.
        refused: Blocks that stay whole, with the reason.
    """

    groups: tuple[Group, ...]
    refused: tuple[tuple[Block, str], ...]


def verify(
    model: nn.Module, layers: tuple[Layer, ...], candidates: Sequence[Candidate], inputs: Inputs
) -> Verified:
    """Find for every block the first sound way to cut it.

    Args:
        model: The network, left untouched; its weights are of no consequence.
        layers: All of its layers.
        candidates: The blocks.
        inputs: Of its forward pass.
    """
    model = _randomise(copy.deepcopy(model))

    def faulty(groups: Sequence[Group]) -> str:
        numbers = [(item.module, item.name) for group in groups for item in group.attributes]
        if len(numbers) > len(set(numbers)):
            return "one number of its code counts the units of several groups"
        ordered = in_order(groups, layers)
        graph = PruningGraph(layers, ordered)
        for seed in range(TRIALS):
            if reason := fault(model, graph, _random_units(ordered, seed), inputs):
                return reason
        return ""

    sound: list[Group] = []
    refused: list[tuple[Block, str]] = []
    waiting = list(candidates)
    while waiting:
        failed = _accept(waiting, sound, faulty)
        # Those that another block's cut made fail get another chance with their next way only.
        waiting = [replace(item, ways=item.ways[1:], reason=reason) for item, reason in failed]
        refused += [(item.block, item.reason) for item in waiting if not item.ways]
        waiting = [item for item in waiting if item.ways]
    return Verified(in_order(sound, layers), tuple(refused))


def _accept(
    items: list[Candidate], sound: list[Group], faulty: Faulty
) -> list[tuple[Candidate, str]]:
    """Add to `sound` each item whose first way is; the others, with what is wrong."""
    groups = [group for item in items for group in item.ways[0]]
    reason = faulty([*sound, *groups])
    if not reason:
        sound += groups
        return []
    if len(items) == 1:
        return [(items[0], items[0].reason or reason)]
    half = len(items) // 2
    return _accept(items[:half], sound, faulty) + _accept(items[half:], sound, faulty)


def _random_units(groups: Sequence[Group], seed: int) -> KeptUnits:
    """Few and many units of one group after the other, and never all of them.

    So two groups that should be one keep different numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = []
    for number, group in enumerate(groups):
        half = max(1, group.units // 2)
        least, most = (
            (1, half) if (number + seed) % 2 else (min(half + 1, group.units - 1), group.units - 1)
        )
        count = int(torch.randint(least, most + 1, (1,), generator=generator))
        order = torch.randperm(group.units, generator=generator)
        kept.append(tuple(sorted(order[:count].tolist())))
    return tuple(kept)


def _randomise(model: nn.Module) -> nn.Module:
    """In place: weights and statistics that hide no mistake, as zeros and tiny scales would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            for name, tensor in _own(module):
                tensor.copy_(_noise(module, name, tensor.shape, generator))
    return model.eval()


def _own(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in module.named_parameters(recurse=False):
        if tensor.is_floating_point():
            yield name, tensor
    for name in ("running_mean", "running_var"):
        statistic = getattr(module, name, None)
        if isinstance(statistic, torch.Tensor):
            yield name, statistic


def _noise(
    module: nn.Module, name: str, shape: torch.Size, generator: torch.Generator
) -> torch.Tensor:
    noise = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        swapped = kinds.kind_of(module) is not None and kinds.known_kind(module).weight[0] == "in"
        read = shape[0] * shape[2:].numel() if swapped else shape[1:].numel()
        return noise.mul((2 / read) ** 0.5)
    positive = name == "running_var" or (name == "weight" and kinds.kind_of(module) is not None)
    return noise.abs() * 0.3 + 0.6 if positive else noise * 0.3


def with_attributes(model: nn.Module, groups: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
    """The same groups with the sets of numbers that code around them may have to change.

    Groups that one number counts the units of are one group.
    """
    seen: list[tuple[Group, ...]] = []
    for choice in range(6):
        found = [replace(g, attributes=_attributes(model, g, choice)) for g in groups]
        by_numbers: dict[tuple[int, tuple[Attribute, ...]], list[Group]] = {}
        for number, group in enumerate(found):
            key = (group.units if group.attributes else -number, group.attributes)
            by_numbers.setdefault(key, []).append(group)
        together = tuple(join(alike) for alike in by_numbers.values())
        if together not in seen:
            seen.append(together)
            yield together


def _attributes(model: nn.Module, group: Group, choice: int) -> tuple[Attribute, ...]:
    """Whole numbers of the modules that own the group's layers that are one of its sizes.

    The choices: none; numbers of heads by name; widths; both; all that count units; those and
    widths.
    """
    widths = {group.units * len(member.indices[0]) for member in group.members}
    found = []
    for owner in sorted({member.module.rpartition(".")[0] for member in group.members}):
        module = model.get_submodule(owner)
        if kinds.kind_of(module) is not None:
            continue
        for name, value in sorted(vars(module).items()):
            if type(value) is int and value > 1 and value % group.units == 0:
                counts = value == group.units
                heads = counts and re.search("head", name) and not re.search("dim|size", name)
                wide = value in widths and not (counts and choice in (1, 2, 3))
                if (
                    (heads and choice in (1, 3))
                    or (wide and choice in (2, 3, 5))
                    or (counts and choice in (4, 5))
                ):
                    found.append(Attribute(owner, name, value // group.units))
    return tuple(found)


def candidate(model: nn.Module, block: Block, ways: Sequence[tuple[Group, ...]]) -> Candidate:
    """A block with every way to cut it, each with every set of attributes."""
    every = (found for way in ways for found in with_attributes(model, way))
    return Candidate(block, tuple(every), block.reason)
