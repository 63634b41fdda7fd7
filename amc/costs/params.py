"""Trainable parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import Constants, channel_numbers, kept_weights
from amc.costs.volumes import Amounts
from amc.graph import PruningGraph


class Params:
    """Parameters of the whole network: weights, biases, and the scale and shift of norms. Exact.

    Weights that a mask holds at zero are not counted.
    """

    unit = "parameters"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._loose = Amounts(graph.loose_params, graph)
        self._constants = Constants(graph, 1, [one.other_params for one in graph.branches])

    def __call__(self, kept: Sequence[int]) -> float:
        """Parameters, those of modules that pruning does not touch included."""
        return float(self.each(np.asarray(kept, np.int64)))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        layers: NDArray[np.float64] = self.per_layer(kept).sum(-1)
        return layers + self._loose(kept) + self._constants(kept) + self._graph.other_params

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) parameters of each layer at (..., groups) kept counts."""
        weights = self._graph.stored * kept_weights(self._graph, kept)
        return weights + channel_numbers(self._graph, kept, statistics=False)
