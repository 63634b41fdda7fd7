"""Multiply-accumulate operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.costs.connections import connections
from amc.structure import PruningGraph


class Macs:
    """Multiply-accumulates of convolutions and linear layers for one sample; FLOPs are twice that.

    Exact, with PyTorch's FlopCounterMode as its oracle; norms, activations and biases count 0.
    """

    unit = "MACs"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._positions = np.array([layer.positions for layer in graph.layers], np.float64)

    def __call__(self, kept: Sequence[int]) -> float:
        """MACs of a forward pass."""
        return float(self.per_layer(kept).sum())

    def per_layer(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(layers,) MACs of each layer."""
        return self._positions * connections(self._graph, kept)
