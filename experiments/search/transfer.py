"""What one network's ratios suggest for another: AMC's features say which layers are alike.

He et al. (2018, 3.2) describe every layer by 11 numbers in [0, 1], so that what is learned on one
network can be used on another. The eight of them that do not hang on decisions are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.graph import Kept, PruningGraph
from envs import Features

STATIC = 8
"""Of the features that describe a layer as it came: t, n, c, h, w, stride, k and FLOPs."""

NEIGHBOURS = 3
"""Groups of the other network whose ratios a group takes the mean of, by their nearness."""

NEAR = 0.05
"""Distance that is added to each, so that equal layers do not count infinitely more."""


def suggested(source: PruningGraph, policies: Sequence[Kept], target: PruningGraph) -> list[Kept]:
    """Kept counts for a network, from those of another; they know nothing of budgets.

    Args:
        source: The other network.
        policies: Its, each of which gives one.
        target: The network.
    """
    weights = _weights(_described(source), _described(target))
    full = np.array(target.full)
    ratios = [weights @ source.ratios(kept) for kept in policies]
    return [tuple(int(one) for one in np.ceil(full * (1 - own))) for own in ratios]


def _described(graph: PruningGraph) -> NDArray[np.float64]:
    """(groups, STATIC) features of the unpruned network."""
    found: NDArray[np.float64] = Features(graph).rollout(graph.full)[:-1, :STATIC].astype(float)
    return found


def _weights(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(target groups, source groups) by which ratios are averaged; each row sums to 1."""
    away = np.linalg.norm(target[:, None] - source[None], axis=2)
    nearest = np.argsort(away, axis=1)[:, :NEIGHBOURS]
    weights = np.zeros_like(away)
    chosen = 1 / (np.take_along_axis(away, nearest, 1) + NEAR)
    np.put_along_axis(weights, nearest, chosen, 1)
    summed: NDArray[np.float64] = weights / weights.sum(1, keepdims=True)
    return summed
