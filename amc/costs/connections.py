"""Weights that connect inputs to outputs: what MACs and parameters both count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.structure import PruningGraph


def connections(graph: PruningGraph, kept: Sequence[int]) -> NDArray[np.float64]:
    """(layers,) weights of each layer without biases, norms none, at these kept counts.

    A filter of a depthwise convolution reads one channel; of a grouped one, its share.
    """
    outputs, inputs = graph.widths(kept)
    area = np.array([layer.area for layer in graph.layers], np.float64)
    groups = np.array([layer.groups for layer in graph.layers])
    read = np.where(graph.channelwise, 1, inputs // groups)
    weights: NDArray[np.float64] = area * outputs * read
    return weights
