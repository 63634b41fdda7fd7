"""Bytes of the stored network, the positions of sparse weights included.

What is stored is the state dict: weights, biases, norms with their running means and variances,
and whatever else a network's modules keep there. At granularity `channel` that is, to the byte,
what the safetensors file of the network holds behind its header, with 32 bits a floating-point
number.

Only a channel makes tensors smaller by itself. What a mask leaves must say where it stands:

| format | values | positions |
| --- | --- | --- |
| dense | every weight, zeros too | none |
| bitmap | kept weights | 1 bit a unit |
| csr | kept weights | 16 bits a unit (32 in rows of more than 65,536), 32 bits a row |
| n:m | kept weights | log2(m) bits a kept weight, rounded up; 2 bits for 2:4 |

Values take 32 bits. A unit is what the granularity removes at once: a kernel needs one bit of a
bitmap for all its weights. CSR with units of several weights is block CSR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import Constants, channel_bytes, connections, kept_weights
from amc.costs.volumes import Amounts
from amc.granularity import Granularity
from amc.graph import NUMBER_BYTES, PruningGraph

VALUE_BITS = 8 * NUMBER_BYTES
POINTER_BITS = 32
SHORT_INDEX = 2**16

FORMATS = ("dense", "bitmap", "csr", "n:m")


@dataclass(frozen=True)
class Stored:
    """What one masked layer takes, by format.

    Args:
        layer: Its name.
        weights: Of the unpruned layer.
        kept: That are left.
        bytes: By the format's short name; the smallest is what `Size` counts.
    """

    layer: str
    weights: int
    kept: int
    bytes: Mapping[str, float]


class Size:
    """Bytes of the stored network, each layer in the smallest format its granularity allows.

    Exact at granularity `channel`. At others the positions are counted by the table above; the file
    that this project writes of such a network holds its zeros.
    """

    unit = "bytes"

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._granularity = graph.granularity
        self._loose = Amounts((*graph.loose_params, *graph.loose_buffers), graph)
        others = [branch.other_bytes for branch in graph.branches]
        self._constants = Constants(graph, NUMBER_BYTES, others)
        layers = graph.layers
        self._each = np.ones(len(layers))
        self._masked = np.zeros(len(layers), bool)
        for group in graph.groups:
            if group.unit_weights:
                at = graph.layer_index[group.layers[0]]
                self._masked[at] = True
                self._each[at] = _granule(group.unit_weights, self._granularity)

    def __call__(self, kept: Sequence[int]) -> float:
        """Bytes of all that is stored."""
        return float(self.each(np.asarray(kept, np.int64)))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        layers: NDArray[np.float64] = self.per_layer(kept).sum(-1)
        others = NUMBER_BYTES * self._loose(kept) + self._constants(kept)
        return layers + others + self._graph.other_bytes

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) bytes of each layer at (..., groups) kept counts."""
        return self._graph.stored * self._weights(kept) + channel_bytes(self._graph, kept)

    def moved(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) bytes that each layer reads of what is stored, shared weights included."""
        return self._weights(kept) + channel_bytes(self._graph, kept)

    def _weights(self, kept: ArrayLike) -> NDArray[np.float64]:
        weights: NDArray[np.float64] = np.min(list(self.by_format(kept).values()), axis=0)
        return weights

    def by_format(self, kept: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """For each format that the granularity allows, (..., layers) bytes of the layers' weights.

        Layers that are not masked are dense in every format.
        """
        weights = connections(self._graph, kept)
        dense = weights * NUMBER_BYTES
        if not self._granularity.masks:
            return {"dense": dense}
        left, rows = kept_weights(self._graph, kept), self._graph.widths(kept)[0]
        units = weights / self._each
        index_bits = np.where(units / np.maximum(rows, 1) <= SHORT_INDEX, 16, 32)
        positions = {
            "bitmap": units,
            "csr": left / self._each * index_bits + (rows + 1) * POINTER_BITS,
        }
        if self._granularity.m:
            positions = {"n:m": left * ceil(log2(self._granularity.m))}
        sparse = {name: (left * VALUE_BITS + bits) / 8 for name, bits in positions.items()}
        return {
            "dense": dense,
            **{name: np.where(self._masked, size, dense) for name, size in sparse.items()},
        }

    def table(self, kept: Sequence[int]) -> tuple[Stored, ...]:
        """What every masked layer takes in each format, in forward order; empty for channels."""
        columns, left = self.by_format(kept), kept_weights(self._graph, kept)
        return tuple(
            Stored(
                layer.name,
                layer.weights,
                int(left[at]),
                {name: float(column[at]) for name, column in columns.items()},
            )
            for at, layer in enumerate(self._graph.layers)
            if self._masked[at]
        )


def _granule(unit_weights: int, granularity: Granularity) -> int:
    """Weights that share one position in storage; those of an n:m pattern stand alone."""
    return 1 if granularity.m else unit_weights
