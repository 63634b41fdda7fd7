"""Which kept counts a latency table was measured for."""

from __future__ import annotations

import math
from dataclasses import replace

from amc.costs.latency.blocks import in_blocks
from amc.costs.latency.latency_table import LatencyTable
from amc.granularity import Rounding
from amc.graph import PruningGraph


def all_measured(table: LatencyTable, graph: PruningGraph) -> Rounding:
    """All of them."""
    plain = Rounding(table.multiple, table.max_ratio)
    return in_blocks(graph, plain) if table.blocks else plain


def measured_counts(table: LatencyTable, graph: PruningGraph, rounding: Rounding) -> Rounding:
    """Of the counts that are legal otherwise those that were measured."""
    if table.blocks:
        return replace(rounding, round_to=1, steps=all_measured(table, graph).steps)
    return replace(rounding, round_to=math.lcm(rounding.round_to, table.multiple))


def check_measured(table: LatencyTable, graph: PruningGraph, rounding: Rounding) -> None:
    """See that only counts are legal that were measured.

    Raises:
        ValueError: if others are.
    """
    own = all_measured(table, graph)
    groups = len(graph.channels.groups)
    steps = own.steps or (own.round_to,) * groups
    asked = rounding.steps or (rounding.round_to,) * groups
    if any(one % step for one, step in zip(asked, steps, strict=True)):
        known = "whole blocks" if own.steps else f"multiples of {table.multiple}"
        raise ValueError(
            f"--round-to is {rounding.round_to}, and the latency table knows {known} of channels "
            "alone; leave it out, or make a table with `amc profile --round-to 1`"
        )
