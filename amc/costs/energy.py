"""Energy of a forward pass: arithmetic, and moving what it works on.

A layer of weights (convolution, linear layer, embedding) takes

    MACs * (multiplication + addition + 2 * sram) + words * dram

MACs are those of weights that are not held at zero by a mask. Each takes its weight and its input
from on-chip SRAM. Words of 32 bits that come from DRAM or go there: what is stored of the layer,
once, in the format that `Size` counts, positions of sparse weights included; all that it reads,
once; all that it makes, once. Of an embedding only the rows that are looked up move.

Norms move their numbers, and nothing else. Products of activations with each other, and with
weights outside of known layers, take the first term alone. A weight that two layers share moves for
each of them.

Left out: registers and caches that would serve an operand again; what does not fit on the chip and
moves more than once; norms, activation functions, pooling and sums, which are taken to be done on
the way out of a layer; what products of activations read and make; control and leakage; zeros among
the activations. So it compares networks, and is nobody's bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import Places, kept_weights
from amc.costs.size import Size
from amc.costs.volumes import Amounts
from amc.graph import NUMBER_BYTES, PruningGraph


@dataclass(frozen=True)
class Technology:
    """Joules for each operation on 32 bits.

    The defaults are those of a 45 nm process: M. Horowitz, "Computing's energy problem (and what we
    can do about it)", ISSCC 2014, as table 1 of Han et al., "Learning both Weights and Connections
    for Efficient Neural Networks", NIPS 2015, has them.

    Args:
        multiplication: Of two floating-point numbers.
        addition: Of two floating-point numbers.
        sram: Access to on-chip memory.
        dram: Access to memory off the chip.
    """

    multiplication: float = 3.7e-12
    addition: float = 0.9e-12
    sram: float = 5e-12
    dram: float = 640e-12

    @property
    def mac(self) -> float:
        """A multiply-accumulate with two operands from SRAM."""
        return self.multiplication + self.addition + 2 * self.sram


NM45 = Technology()


class Energy:
    """Joules of one sample's forward pass; see this file's head. An estimate by formula."""

    unit = "joules"

    def __init__(self, graph: PruningGraph, technology: Technology = NM45) -> None:
        layers = graph.layers
        self._graph, self._technology, self._size = graph, technology, Size(graph)
        self._multiplied, self._read, self._written = (
            Places(
                graph, [0.0 if layer.kind == "norm" else getattr(layer, kind) for layer in layers]
            )
            for kind in ("positions", "read", "written")
        )
        self._others = Amounts(graph.products, graph)
        self._looked_up = np.array([layer.kind == "embedding" for layer in layers])

    def __call__(self, kept: Sequence[int]) -> float:
        """Joules of all layers."""
        return float(self.each(np.asarray(kept, np.int64)))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        layers: NDArray[np.float64] = self.per_layer(kept).sum(-1)
        return layers + self._technology.mac * self._others(kept)

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) joules of each layer at (..., groups) kept counts."""
        macs = self._multiplied(kept) * kept_weights(self._graph, kept)
        return macs * self._technology.mac + self._words(kept) * self._technology.dram

    def _words(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) words of 32 bits that move from and to DRAM."""
        outputs, inputs = self._graph.widths(kept)
        made = self._written(kept) * outputs
        stored = self._size.moved(kept) / NUMBER_BYTES
        weights = np.where(self._looked_up, made, stored)
        return weights + self._read(kept) * inputs + made
