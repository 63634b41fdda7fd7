"""Where 2:4 zeros are really faster: PyTorch's semi-structured tensors on a recent NVIDIA GPU.

Everywhere else zeros are computed like other weights, and a latency budget on masks is refused.
There, every linear layer is timed dense and at 2:4, in half precision, and the two times make an
exact cost of the kept counts.

No such GPU was at hand when this was written: the check and the cost are tested, and the timing has
never run. Convolutions have no semi-structured kernel in PyTorch, so their time stays.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from amc.structure import PruningGraph

CAPABILITY = (8, 0)
"""Compute capability from which the tensor cores know 2:4."""

MULTIPLES = (32, 64)
"""Of which a layer's outputs and inputs have to be multiples for PyTorch's kernels in half."""

ROWS = 64
"""Rows of the inputs that layers are timed on; fewer are padded by the kernels."""

ROUNDS, WARM_UP = 25, 5

Times = Mapping[str, tuple[float, float]]
"""By the name of a layer, its seconds dense and at 2:4."""


def obstacle() -> str:
    """Why 2:4 zeros are not faster on this machine; empty where they are."""
    if not hasattr(torch.sparse, "to_sparse_semi_structured"):
        return f"PyTorch {torch.__version__} has no semi-structured tensors"
    if not torch.cuda.is_available():
        return "here is no NVIDIA GPU"
    found = torch.cuda.get_device_capability()
    if found < CAPABILITY:
        return f"this GPU has compute capability {found[0]}.{found[1]}, below 8.0"
    return ""


def suits(module: nn.Module) -> bool:
    """Whether PyTorch has a kernel for this layer's weight at 2:4."""
    return (
        isinstance(module, nn.Linear)
        and module.out_features % MULTIPLES[0] == 0
        and module.in_features % MULTIPLES[1] == 0
    )


class SemiStructured:
    """Seconds of the layers at a granularity of 2:4, each dense or with half of its weights.

    Exact for the sum of the layers that were timed; what runs between them is left out, and so are
    layers without a kernel.
    """

    unit = "seconds"

    def __init__(self, graph: PruningGraph, times: Times) -> None:
        self._graph, self._times = graph, times

    def __call__(self, kept: Sequence[int]) -> float:
        """Seconds of a pass through the timed layers."""
        return float(self.per_layer(kept).sum())

    def per_layer(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(layers,) seconds of each; 0 where it was not timed."""
        seconds = np.zeros(len(self._graph.layers))
        for group, count in zip(self._graph.groups, kept, strict=True):
            if group.name in self._times:
                dense, sparse = self._times[group.name]
                whole = count == group.units
                # A slower kernel is not used, so that fewer weights never take longer.
                seconds[self._graph.layer_index[group.name]] = (
                    dense if whole else min(dense, sparse)
                )
        return seconds


def timed(model: nn.Module, graph: PruningGraph) -> Times:
    """Time every layer that has a kernel, dense and at 2:4, on this machine's GPU.

    Raises:
        ValueError: where 2:4 is not faster on this machine, or the network has no such layer.
    """
    reason = obstacle()
    every = {group.name: model.get_submodule(group.name) for group in graph.groups}
    layers = {name: module for name, module in every.items() if suits(module)}
    if reason or not layers:
        raise ValueError(refusal(reason or "the network has no linear layer of suitable size"))
    return {name: (_dense(layer), _sparse(layer)) for name, layer in layers.items()}


def refusal(reason: str) -> str:
    """What to say to a latency budget on masks."""
    return (
        "a latency budget needs channels to go: zeros of a mask are computed like other weights; "
        "only 2:4 on an NVIDIA GPU of compute capability 8.0 or more is faster, through PyTorch's "
        f"semi-structured tensors, and {reason}; prune at granularity channel, or give a budget of "
        "params or size"
    )


def _dense(layer: nn.Module) -> float:
    assert isinstance(layer, nn.Linear)
    return _seconds(layer.weight.detach().half().cuda(), layer.in_features)


def _sparse(layer: nn.Module) -> float:
    """The same weight with the first two of every four at zero: which two does not matter."""
    assert isinstance(layer, nn.Linear)
    weight = layer.weight.detach().half().cuda()
    pattern = torch.tensor([0, 0, 1, 1], dtype=torch.half, device="cuda")
    halved = weight * pattern.repeat(layer.in_features // 4)
    return _seconds(torch.sparse.to_sparse_semi_structured(halved), layer.in_features)


def _seconds(weight: torch.Tensor, features: int) -> float:
    """The median of several rounds, by the GPU's own clock."""
    inputs = torch.randn(ROWS, features, dtype=torch.half, device="cuda")
    times: list[float] = []
    for _ in range(WARM_UP + ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        nn.functional.linear(inputs, weight)
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return float(statistics.median(times[WARM_UP:]))
