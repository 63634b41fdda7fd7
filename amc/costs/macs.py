"""Multiply-accumulate operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import Places, connections, kept_weights
from amc.costs.volumes import Amounts
from amc.graph import PruningGraph


class Macs:
    """Multiply-accumulates of a forward pass for one sample; FLOPs are twice that.

    Exact, with PyTorch's FlopCounterMode as its oracle: convolutions and products of matrices,
    those of activations with each other included. Norms, activations and biases count 0.
    """

    unit = "MACs"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._places = Places(graph, [layer.positions for layer in graph.layers])
        self._others = Amounts(graph.products, graph)

    def __call__(self, kept: Sequence[int]) -> float:
        """MACs of a forward pass."""
        return float(self.per_layer(kept).sum() + self._others(kept))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        layers: NDArray[np.float64] = self.per_layer(kept).sum(-1)
        return layers + self._others(kept)

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) MACs of each layer's weights at (..., groups) kept counts."""
        return self._places(kept) * connections(self._graph, kept)

    def without_zeros(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) the same, but for those that multiply with a zero of a mask."""
        return self._places(kept) * kept_weights(self._graph, kept)
