"""Widths that most hardware likes, where nothing was measured: whole blocks of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from amc.costs.base import Costs
from amc.costs.limits import BudgetError, Limits
from amc.granularity import Rounding
from amc.graph import PruningGraph
from amc.policy import Budget

BLOCKS = (16, 8, 4)
"""Channels: what onnxruntime lays out together with AVX-512, with AVX2, and the least with which it
lays tensors out in blocks at all."""

LEVELS = 4
"""Counts that a group has at least to choose from, with all but the smallest block."""

COARSE = 2
"""Times what the largest pruning ratio leaves of a group that its smallest width may be."""


def in_blocks(graph: PruningGraph, rounding: Rounding) -> Rounding:
    """The rounding by which every layer has whole blocks of channels.

    A layer of 63 channels takes longer than one of 64, on most processors by far, so a network of
    such layers may be smaller and slower. Of `BLOCKS` each group takes the largest that leaves it
    `LEVELS` widths, and with which its smallest one is at most `COARSE` times what the largest
    ratio leaves; the last has to leave two, and groups that are smaller have every count. Where a
    unit is several channels, as an attention's head is, they count as many.

    Args:
        graph: Its decisions; for those that mask weights nothing changes.
        rounding: What is legal otherwise.
    """
    if not graph.granularity.cuts:
        return rounding
    channels = graph.channels
    each = zip(channels.full, _channels(channels), strict=True)
    return replace(rounding, steps=tuple(_step(*own, rounding) for own in each))


def usual_counts(
    graph: PruningGraph, rounding: Rounding, budgets: Sequence[Budget], costs: Costs
) -> Rounding:
    """The rounding of `in_blocks`, or the one that is given where a budget needs it.

    A budget that only single channels meet has them, and one that only they meet with every branch.
    """
    blocks = in_blocks(graph, rounding)
    for depth in (False, rounding.depth):
        for chosen in (blocks, rounding):
            if within_reach(graph, replace(chosen, depth=depth), budgets, costs):
                return chosen
    return rounding


def within_reach(
    graph: PruningGraph, rounding: Rounding, budgets: Sequence[Budget], costs: Costs
) -> bool:
    """Whether the smallest network that is legal meets all budgets."""
    try:
        Limits.of(graph, budgets, costs, rounding)
    except BudgetError:
        return False
    return True


def _channels(graph: PruningGraph) -> list[int]:
    """That a unit of each group takes of the layers that make it; of several the fewest."""
    outputs, _ = graph.width_maps
    found = []
    for number, group in enumerate(graph.groups):
        rows = [graph.layer_index[name] for name in group.layers]
        own = outputs[rows, number]
        places = [len(one.indices[0]) for one in group.slices if one.side == "out"]
        counts = [*own[own > 0].tolist(), *places]
        found.append(min(counts, default=1))
    return found


def _step(units: int, channels: int, rounding: Rounding) -> int:
    """Units from one legal count to the next."""
    steps = [block // math.gcd(block, channels) for block in BLOCKS]
    fewest = rounding.counts(units, 1).first
    wide = (
        step
        for step in steps[:-1]
        if units >= LEVELS * step and rounding.counts(units, step).first <= COARSE * fewest
    )
    chosen = next(wide, steps[-1])
    return chosen if units >= 2 * chosen else 1
