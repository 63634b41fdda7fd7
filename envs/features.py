"""The state: AMC's 11 features of a layer (He et al., 2018, 3.2), each scaled to [0, 1].

A decision is about a group; its first layer in forward order is the one described.

| # | feature | what it is | divided by |
| --- | --- | --- | --- |
| 0 | t | position of the decision | last position |
| 1 | n | output channels | largest of any group |
| 2 | c | input channels | largest |
| 3 | h | height of the input | largest |
| 4 | w | width of the input | largest |
| 5 | stride | along the first axis; 1 for a linear layer | largest |
| 6 | k | kernel size along the first axis; 1 for a linear layer | largest |
| 7 | FLOPs[t] | operations of all layers whose outputs the group decides, unpruned | largest |
| 8 | reduced | operations removed by the decisions before t | all operations |
| 9 | rest | operations left in the layers of decisions after t | all operations |
| 10 | a[t-1] | pruning ratio executed one decision earlier; 0 at first | 1 |

After the last decision the position is 1, rest is 0, and what describes a layer is 0. Where weights
are masked, operations with a zero count as removed, although a dense kernel makes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.costs import Macs
from amc.graph import Layer, PruningGraph

NAMES = ("t", "n", "c", "h", "w", "stride", "k", "flops", "reduced", "rest", "previous")

Observation = NDArray[np.float32]
"""(11,) features of one state, or (states, 11) of several."""


class Features:
    """Describes every state of a rollout over a network's groups."""

    def __init__(self, graph: PruningGraph) -> None:
        self._graph = graph
        self._macs = Macs(graph)
        self._total = float(self._macs.per_layer(graph.full).sum())
        static = np.array([self._describe(number) for number in range(len(graph.groups))])
        scaled = static / np.maximum(static.max(axis=0), 1e-12)
        self._static = np.vstack([scaled, np.zeros(static.shape[1])])  # (groups + 1, 7)

    def observe(self, decided: Sequence[int]) -> Observation:
        """(11,) features before the next decision.

        Args:
            decided: Kept counts of the groups already decided, in forward order.
        """
        here, full = len(decided), self._graph.full
        (state,) = self._observe((*decided, *full[here:]), [here])
        return np.asarray(state)

    def rollout(self, kept: Sequence[int]) -> Observation:
        """(groups + 1, 11) the same before each decision of a rollout, and after the last.

        Args:
            kept: Kept counts of all groups.
        """
        return self._observe(kept, range(len(kept) + 1))

    def _observe(self, kept: Sequence[int], steps: Sequence[int]) -> Observation:
        """(steps, 11) features where so many decisions of a rollout have been taken."""
        here, full = np.array(steps)[:, None], np.array(self._graph.full)
        groups = np.arange(len(full))
        left = self._macs.without_zeros(np.where(groups < here, kept, full))  # (steps, layers)
        reduced = self._total - left.sum(1, keepdims=True)
        rest = np.where(self._graph.owner > here, left, 0).sum(1, keepdims=True)
        previous = np.append(0.0, self._graph.ratios(kept))[here]
        position = np.minimum(here / max(1, len(full) - 1), 1.0)
        dynamic = reduced / self._total, rest / self._total, previous
        return np.hstack([position, self._static[here[:, 0]], *dynamic]).astype(np.float32)

    def _describe(self, number: int) -> tuple[float, ...]:
        graph = self._graph
        layer = graph.layers[graph.layer_index[graph.groups[number].layers[0]]]
        macs = self._macs.per_layer(graph.full)[graph.owner == number].sum()
        height, width = _size(layer)
        stride, kernel = (*layer.stride, 1)[0], (*layer.kernel, 1)[0]
        return layer.outputs, layer.inputs, height, width, stride, kernel, macs


def _size(layer: Layer) -> tuple[int, int]:
    """Height and width of the input; 1 where it has none."""
    if not layer.in_size:
        return 1, 1
    return layer.in_size[0], (*layer.in_size, 1)[1]
