"""Trainable parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import kept_weights
from amc.graph import PruningGraph


class Params:
    """Parameters of the whole network: weights, biases, and the scale and shift of norms. Exact.

    Weights that a mask holds at zero are not counted.
    """

    unit = "parameters"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._extra = np.array([layer.extra for layer in graph.layers], np.float64)

    def __call__(self, kept: Sequence[int]) -> float:
        """Parameters, those of modules that pruning does not touch included."""
        return float(self.per_layer(kept).sum()) + self._graph.other_params

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        params: NDArray[np.float64] = self.per_layer(kept).sum(-1) + self._graph.other_params
        return params

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) parameters of each layer at (..., groups) kept counts."""
        outputs, _ = self._graph.widths(kept)
        return kept_weights(self._graph, kept) + self._extra * outputs
