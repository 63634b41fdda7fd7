"""Random networks between the unpruned one and the smallest."""

from __future__ import annotations

import numpy as np

from amc.granularity import Rounding, nearest
from amc.graph import Kept, PruningGraph


def random_policies(graph: PruningGraph, rounding: Rounding, number: int, seed: int) -> list[Kept]:
    """Kept counts: a level for the network, and below it a ratio for each group."""
    chance, found = np.random.default_rng(seed), []
    counts = rounding.legal(graph.full)
    for _ in range(number):
        most = chance.uniform(0, rounding.max_ratio)
        ratios = chance.uniform(0, most, len(graph.groups)).tolist()
        found.append(tuple(map(nearest, counts, ratios)))
    return found
