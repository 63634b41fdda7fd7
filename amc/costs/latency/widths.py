"""Which widths the layers of a network can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from amc.graph import SIDES, PruningGraph


@dataclass(frozen=True)
class Reach:
    """Of one layer.

    Args:
        inputs: Channels that it can read, ascending.
        outputs: Channels that it can make, ascending.
        tied: Inputs and outputs are decided by the same groups, so that they go together.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tied: bool


def reach(graph: PruningGraph, counts: Sequence[Sequence[int]]) -> tuple[Reach, ...]:
    """What every layer can have where the groups may keep these counts.

    Args:
        graph: Whose layers; those that no group touches have one width.
        counts: For each group, ascending; the last is its full count.
    """
    return tuple(_reach(graph, row, counts) for row in range(len(graph.layers)))


def _reach(graph: PruningGraph, row: int, counts: Sequence[Sequence[int]]) -> Reach:
    layer = graph.layers[row]
    maps = dict(zip(SIDES, graph.width_maps, strict=True))
    if graph.channelwise[row]:
        outputs = _sums(layer.outputs, maps["out"][row].tolist(), counts)
        return Reach(outputs, outputs, tied=True)
    deciders = [set(maps[side][row].nonzero()[0].tolist()) for side in SIDES]
    inputs = _sums(layer.inputs, maps["in"][row].tolist(), counts)
    outputs = _sums(layer.outputs, maps["out"][row].tolist(), counts)
    return Reach(inputs, outputs, tied=bool(deciders[0] & deciders[1]))


def _sums(full: int, each: Sequence[int], counts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """All widths, where a unit of each group takes so many channels."""
    lost = (
        {size * (legal[-1] - count) for count in legal}
        for size, legal in zip(each, counts, strict=True)
        if size
    )
    total = reduce(lambda one, other: {a + b for a in one for b in other}, lost, {0})
    return tuple(sorted(full - gone for gone in total))
