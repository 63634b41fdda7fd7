"""Where 2:4 zeros are really faster: PyTorch's semi-structured tensors on a recent NVIDIA GPU.

Everywhere else zeros are computed like other weights, and a latency budget on masks is refused.
There, every linear layer is timed dense and at 2:4, in half precision, and the two times make an
exact cost of the kept counts. Both run in a CUDA graph: called one by one, PyTorch's sparse product
takes longer to prepare than to compute, which only the largest layers could win back. Convolutions
have no semi-structured kernel in PyTorch, so their time stays.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.graph import PruningGraph

CAPABILITY = (8, 0)
"""Compute capability from which the tensor cores know 2:4."""

MULTIPLES = (32, 64)
"""Of which a layer's outputs and inputs have to be multiples for PyTorch's kernels in half."""

ROUNDS, WARM_UP, CALLS = 25, 5, 20
"""Of a graph that is timed, before that, and products in it."""

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


def time_layers(model: nn.Module, graph: PruningGraph, batch: int = 1) -> Times:
    """Time every layer that has a kernel, dense and at 2:4, on this machine's GPU.

    Args:
        model: The network, wherever it is.
        graph: Its graph at 2:4.
        batch: Samples of a pass.

    Raises:
        ValueError: where 2:4 is not faster on this machine, or the network has no layer that is.
    """
    if reason := obstacle():
        raise ValueError(refusal(reason))
    found: dict[str, tuple[float, float]] = {}
    for group in graph.groups:
        layer = model.get_submodule(group.name)
        if suits(layer):
            rows = round(batch * graph.layers[graph.layer_index[group.name]].positions)
            weight = model.get_parameter(f"{group.name}.weight").detach()
            found[group.name] = dense_and_sparse(weight, rows)
    if not found:
        raise ValueError(refusal("the network has no linear layer of suitable size"))
    nearest = min(found, key=lambda name: found[name][1] / found[name][0])
    dense, sparse = found[nearest]
    if sparse >= dense:
        told = f"{1e6 * sparse:.0f} µs at 2:4 and {1e6 * dense:.0f} µs without"
        raise ValueError(
            refusal(
                f"on this {torch.cuda.get_device_name()} no layer of this network gains by it at "
                f"batch {batch} (--memory-batch): {nearest!r}, the nearest to it, takes {told}"
            )
        )
    return found


def refusal(reason: str) -> str:
    """What to say to a latency budget on masks."""
    return (
        "a latency budget needs channels to go: zeros of a mask are computed like other weights; "
        "only 2:4 on an NVIDIA GPU of compute capability 8.0 or more is faster, through PyTorch's "
        f"semi-structured tensors, and {reason}; prune at granularity channel, or give a budget of "
        "params or size"
    )


def dense_and_sparse(weight: Tensor, rows: int) -> tuple[float, float]:
    """Seconds of a layer's product with so many rows, dense and at 2:4, in half precision.

    Args:
        weight: (outputs, inputs), of which any two of every four are taken for the zeros: which
            does not matter.
        rows: Samples times positions.
    """
    half = weight.half().cuda()
    pattern = torch.tensor([0, 0, 1, 1], dtype=torch.half, device="cuda")
    halved = half * pattern.repeat(half.shape[1] // 4)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that these tensors are a prototype
        sparse = torch.sparse.to_sparse_semi_structured(halved)
        inputs = torch.randn(rows, half.shape[1], dtype=torch.half, device="cuda")
        return _seconds(inputs, half), _seconds(inputs, sparse)


def _seconds(inputs: Tensor, weight: Tensor) -> float:
    """Of one product in a graph of several, by the GPU's own clock; the median of the rounds."""

    def products() -> None:
        for _ in range(CALLS):
            nn.functional.linear(inputs, weight)

    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # kernels are chosen outside of the graph
    with torch.cuda.stream(aside):
        products()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        products()
    times: list[float] = []
    for _ in range(WARM_UP + ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / CALLS)
    return float(statistics.median(times[WARM_UP:]))
