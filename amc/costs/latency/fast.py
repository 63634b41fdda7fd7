"""Widths that the hardware likes: kept counts at the edge of a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amc.costs.latency.cost import Latency
from amc.structure import PruningGraph

TOLERANCE = 0.01
"""Of the time of the layers that a group touches: what is not faster by this is no step."""


def fast_counts(
    graph: PruningGraph, latency: Latency, counts: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """For each group those of its counts that no wider one equals in speed.

    A count that is not faster than a wider one loses accuracy for nothing. What stays are the right
    edges of the steps; over them the latency rises strictly with the width.

    Args:
        graph: Whose groups.
        latency: The plain prediction.
        counts: For each group, ascending; the last is its full count, and stays.
    """
    touched = sum(side != 0 for side in graph.width_maps)
    whole = latency.per_layer(graph.full)
    return tuple(
        _edges(
            legal,
            [latency((*graph.full[:at], n, *graph.full[at + 1 :])) for n in legal],
            TOLERANCE * float(whole[touched[:, at] > 0].sum()),
        )
        for at, legal in enumerate(counts)
    )


def _edges(counts: Sequence[int], seconds: Sequence[float], tolerance: float) -> tuple[int, ...]:
    """The last count, and from there down each that is faster than all that stay so far."""
    found, best = [counts[-1]], seconds[-1]
    for at in range(len(counts) - 2, -1, -1):
        if seconds[at] < best - tolerance:
            found.append(counts[at])
            best = seconds[at]
    return tuple(np.sort(found).tolist())
