"""What costs have in common: weights that connect inputs to outputs, and how often layers run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.volumes import Volumes
from amc.granularity import Granularity, part
from amc.graph import NUMBER_BYTES, Group, PruningGraph

Whole = NDArray[np.int64]


def connections(graph: PruningGraph, kept: ArrayLike) -> NDArray[np.float64]:
    """(..., layers) weights of each layer's shape without biases, norms none.

    A filter of a depthwise convolution reads one channel; of a grouped one, its share. Zeros of a
    mask are counted: they are stored and multiplied like all others.

    Args:
        graph: The network.
        kept: (..., groups) kept counts.
    """
    outputs, inputs = graph.widths(kept)
    read = np.where(graph.one_by_one, 1, inputs)
    shares = graph.divisions > 1
    if shares.any():
        read[..., shares] //= graph.divisions[shares]
    weights: NDArray[np.float64] = graph.areas * outputs * read
    return weights


def kept_weights(graph: PruningGraph, kept: ArrayLike) -> NDArray[np.float64]:
    """(..., layers) the same without the zeros of a mask.

    Of a layer that lost channels as well as large a part stays as would of the whole layer, whole
    units, rounded up.
    """
    weights, counts = connections(graph, kept), np.asarray(kept, np.int64)
    for at, group in enumerate(graph.groups):
        if group.unit_weights:
            row = graph.layer_index[group.layers[0]]
            own = weights[..., row].astype(np.int64)
            if graph.granularity.m:
                filters = graph.layers[row].area * graph.widths(kept)[0][..., row]
                weights[..., row] = _of_pattern(own, filters, counts[..., at], graph.granularity)
            else:
                weights[..., row] = _of_units(own, counts[..., at], group)
    return weights


def _of_units(weights: Whole, kept: Whole, group: Group) -> Whole:
    return part(weights // group.unit_weights, kept, group.units) * group.unit_weights


def _of_pattern(weights: Whole, filters: Whole, kept: Whole, unit: Granularity) -> Whole:
    """Weights left of a layer in which each of some filters reads the same number of inputs.

    A last block of fewer inputs than the pattern's keeps as many, or all.
    """
    reads = weights // np.maximum(filters, 1)
    left = reads // unit.m * kept + np.minimum(kept, reads % unit.m)
    found: Whole = left * filters
    return found


def channel_numbers(
    graph: PruningGraph, kept: ArrayLike, *, statistics: bool
) -> NDArray[np.float64]:
    """(..., layers) numbers that are stored for each channel alone: biases, norms.

    Args:
        graph: The network.
        kept: (..., groups) kept counts.
        statistics: Those of norms as well.
    """
    outputs, inputs = graph.widths(kept)
    each = [layer.extra + statistics * layer.statistics for layer in graph.layers]
    read = [layer.extra_inputs for layer in graph.layers]
    found: NDArray[np.float64] = np.array(each, np.float64) * outputs + np.array(read) * inputs
    return found


def channel_bytes(graph: PruningGraph, kept: ArrayLike) -> NDArray[np.float64]:
    """(..., layers) bytes of these, statistics included."""
    return NUMBER_BYTES * channel_numbers(graph, kept, statistics=True)


class Constants:
    """What branches that are gone change beside their layers: constants come, other tensors go.

    Args:
        graph: The network.
        each: Of a number of a constant.
        others: (branches,) of all else that each takes with it.
    """

    def __init__(self, graph: PruningGraph, each: int, others: Sequence[int]) -> None:
        self._graph, self._each, self._others = graph, each, np.array(others, np.int64)
        widths = [(branch.width,) for branch in graph.branches]
        self._volumes = Volumes(widths, len(graph.groups))

    def __call__(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(...) at (..., groups) kept counts."""
        counts = np.asarray(kept, np.int64)
        if not self._graph.branches or counts.all():
            return np.zeros(counts.shape[:-1])
        each = self._each * self._volumes(counts) - self._others
        found: NDArray[np.float64] = (each * self._graph.outermost(counts)).sum(-1).astype(float)
        return found


class Places:
    """How often layers run: what a sample's places come to at some kept counts.

    Args:
        graph: The network.
        each: (layers,) places of each layer; where it is `over` another, for each output channel
            of that one.
    """

    def __init__(self, graph: PruningGraph, each: Sequence[float]) -> None:
        self._graph = graph
        self._each = np.array(each, np.float64)
        self._over = [
            (row, graph.layer_index[layer.over])
            for row, layer in enumerate(graph.layers)
            if layer.over
        ]

    def __call__(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) places at (..., groups) kept counts."""
        if not self._over:
            return self._each
        # Channels that a layer made are there for others too, and need not go with it.
        outputs, _ = self._graph.left_widths(kept)
        places = np.broadcast_to(self._each, outputs.shape).copy()
        for row, other in self._over:
            places[..., row] *= outputs[..., other]
        return places
