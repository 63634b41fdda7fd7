"""Multiply-accumulate operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.costs.connections import connections
from amc.structure import PruningGraph


class Macs:
    """Multiply-accumulates of convolutions and linear layers for one sample; FLOPs are twice that.

    Exact, with PyTorch's FlopCounterMode as its oracle; norms, activations and biases count 0, and
    so do products of activations with each other inside of attention, which have no weights.
    """

    unit = "MACs"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._positions = np.array([layer.positions for layer in graph.layers], np.float64)
        self._over = [
            (row, graph.layer_index[layer.over])
            for row, layer in enumerate(graph.layers)
            if layer.over
        ]

    def __call__(self, kept: Sequence[int]) -> float:
        """MACs of a forward pass."""
        return float(self.per_layer(kept).sum())

    def per_layer(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(layers,) MACs of each layer."""
        positions = self._positions.copy()
        if self._over:
            outputs, _ = self._graph.widths(kept)
            for row, other in self._over:
                positions[row] *= outputs[other]
        return positions * connections(self._graph, kept)
