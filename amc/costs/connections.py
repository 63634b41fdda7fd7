"""Weights that connect inputs to outputs: what MACs and parameters both count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.structure import PruningGraph


def connections(graph: PruningGraph, kept: Sequence[int]) -> NDArray[np.float64]:
    """(layers,) weights of each layer's shape without biases, norms none, at these kept counts.

    A filter of a depthwise convolution reads one channel; of a grouped one, its share. Zeros of a
    mask are counted: they are stored and multiplied like all others.
    """
    outputs, inputs = graph.widths(kept)
    read = np.where(graph.channelwise, 1, inputs // graph.divisions)
    weights: NDArray[np.float64] = graph.areas * outputs * read
    return weights


def kept_weights(graph: PruningGraph, kept: Sequence[int]) -> NDArray[np.float64]:
    """(layers,) the same without the zeros of a mask."""
    weights = connections(graph, kept)
    for group, count in zip(graph.groups, kept, strict=True):
        if group.unit_weights:
            weights[graph.layer_index[group.name]] = count * group.unit_weights
    return weights
