"""Peak memory of a forward pass: the stored weights, and all that is held beside them at worst.

What is counted is PyTorch's eager execution on one device, without gradients, with 32 bits a
floating-point number: every operation makes new tensors, but for operations in place and views, and
each is held until the network's code lets go of it, at or after the last operation that reads it.
The inputs are held throughout, by whoever gave them. Left out is what the inside of one operation
needs for itself (workspaces of convolutions), and what an allocator rounds up and keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.connections import Constants, channel_bytes, connections
from amc.costs.volumes import Amounts, Volumes
from amc.graph import NUMBER_BYTES, Activation, PruningGraph


class Memory:
    """Bytes that a forward pass holds at most. Not a sum over layers: the worst moment may move.

    Exact, but an upper bound where operations differ from the traced network's: where a cut leaves
    an axis of one place, code may look at a tensor instead of copying it; and PyTorch's own
    attention may run as one operation as long as it is not cut.

    Args:
        graph: The network.
        batch: Samples at once.

    Raises:
        ValueError: for a batch of none.
    """

    unit = "bytes"

    def __init__(self, graph: PruningGraph, batch: int = 1) -> None:
        if batch < 1:
            raise ValueError(f"memory: batch is {batch}; it must be 1 or more samples")
        self._graph = graph
        held = graph.activations
        grown = [batch / item.samples if item.samples else 1 for item in held]
        self._each = np.array([item.each for item in held]) * grown
        self._alive = _alive(held)
        self._volumes = Volumes([item.widths for item in held], len(graph.groups))
        self._loose = Amounts((*graph.loose_params, *graph.loose_buffers), graph)
        others = [branch.other_bytes for branch in graph.branches]
        self._constants = Constants(graph, NUMBER_BYTES, others)

    def __call__(self, kept: Sequence[int]) -> float:
        """Bytes at the worst moment."""
        return float(self.each(np.asarray(kept, np.int64)))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        worst: NDArray[np.float64] = self.live(kept).max(-1, initial=0)
        return self.weights(kept) + worst

    def weights(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(...) bytes of the stored weights and statistics, zeros of masks included."""
        weights = self._graph.stored * connections(self._graph, kept)
        layers = NUMBER_BYTES * weights + channel_bytes(self._graph, kept)
        loose = NUMBER_BYTES * self._loose(kept) + self._constants(kept)
        others = loose + self._graph.other_bytes
        stored: NDArray[np.float64] = layers.sum(-1) + others
        return stored

    def live(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., operations + 1) bytes of all other tensors during each operation.

        Args:
            kept: (..., groups) kept counts.
        """
        sizes = np.rint(self._each * self._volumes(kept))
        held: NDArray[np.float64] = sizes @ self._alive
        return held


def _alive(held: Sequence[Activation]) -> NDArray[np.float64]:
    """(tensors, operations + 1) 1 from the operation that makes a tensor to the last to read it."""
    steps = np.arange(max((item.last + 2 for item in held), default=1))
    alive = [(item.first <= steps) & (steps <= item.last) for item in held]
    return np.array(alive, np.float64).reshape(len(held), len(steps))
