"""Widths that the hardware likes: kept counts at the edge of a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from amc.costs.latency.cost import Latency
from amc.costs.latency.latency_table import LatencyTable
from amc.costs.latency.measured import check_measured
from amc.granularity import Rounding
from amc.graph import PruningGraph

TOLERANCE = 0.01
"""Of the time of the layers that a group touches: what is not faster by this is no step."""

BLOCK = 8
"""Channels that runtimes lay out together with AVX2; half of AVX-512's 16, and twice NEON's 4."""


def by_table(
    table: LatencyTable, graph: PruningGraph, rounding: Rounding
) -> tuple[Callable[[PruningGraph], Latency], Rounding]:
    """The cost that a table gives, and which kept counts a budget of it leaves legal.

    Those that a wider one equals in speed are illegal: where a layer of 63 channels is slower than
    one of 64, no search should end there, and none could bisect.

    Args:
        table: Of the network.
        graph: Its decisions; those about channels count.
        rounding: What is legal otherwise.

    Raises:
        LatencyTableError: if the table is of another network.
        ValueError: if counts are legal that the table was not measured for (`measured_counts`).
    """
    graph = graph.channels
    check_measured(table, graph, rounding)
    counts = fast_counts(graph, Latency(graph, table), rounding.legal(graph.full))
    return partial(Latency, table=table, counts=counts), replace(rounding, widths=counts)


def fast_counts(
    graph: PruningGraph, latency: Latency, counts: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """For each group those of its counts that no wider one equals in speed, nor full blocks beat.

    A count that is not faster than a wider one loses accuracy for nothing. What stays are the right
    edges of the steps; over them the latency rises strictly with the width. Some of them fill a
    block of `BLOCK` in part, and pay nearly all of it: 12 channels may take hardly less than 16.
    Where 8 here and 16 in another layer are faster than 12 and 12, such a count goes as well: a
    budget of MACs, which does not see the time, is then not worse off than with plain multiples.

    Args:
        graph: Whose groups.
        latency: The plain prediction.
        counts: For each group, ascending; the last is its full count, and stays.
    """
    touched = sum(side != 0 for side in graph.width_maps)
    whole = latency.per_layer(graph.full)
    return tuple(
        _fast(
            legal,
            [latency((*graph.full[:at], n, *graph.full[at + 1 :])) for n in legal],
            TOLERANCE * float(whole[touched[:, at] > 0].sum()),
        )
        for at, legal in enumerate(counts)
    )


def _fast(counts: Sequence[int], seconds: Sequence[float], tolerance: float) -> tuple[int, ...]:
    """The edges but those that the full blocks around them beat."""
    times = dict(zip(counts, seconds, strict=True))
    edges = _edges(counts, seconds, tolerance)
    return tuple(n for n in edges if times[n] <= _blocks(n, times) + tolerance)


def _blocks(count: int, times: Mapping[int, float]) -> float:
    """Seconds of a mixture of the full blocks below and above; infinite without both."""
    low = count // BLOCK * BLOCK
    if low == count or low not in times or low + BLOCK not in times:
        return math.inf
    return times[low] + (times[low + BLOCK] - times[low]) * (count - low) / BLOCK


def _edges(counts: Sequence[int], seconds: Sequence[float], tolerance: float) -> tuple[int, ...]:
    """The last count, and from there down each that is faster than all that stay so far."""
    found, best = [counts[-1]], seconds[-1]
    for at in range(len(counts) - 2, -1, -1):
        if seconds[at] < best - tolerance:
            found.append(counts[at])
            best = seconds[at]
    return tuple(np.sort(found).tolist())
