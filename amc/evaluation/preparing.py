"""A network for evaluation only, changed so that it computes the same faster."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from amc.devices import device_of, fast_type, lay_out
from amc.graph import PruningGraph
from amc.modules import absent, changed, fold_norms, fuse_activations

BATCH = 100
CACHE = 10 * 2**20
"""Bytes that the largest map of a batch may have on a processor; larger ones leave its caches."""
GPU_CACHE = 200 * 2**20
"""The same of a GPU, which small batches leave idle."""


def make_ready(model: nn.Module, graph: PruningGraph, *, half: bool = True) -> PruningGraph:
    """Change a network in place, so that it computes the same faster.

    Batch norms and, in bfloat16, activations become part of the layers before them, other
    activations overwrite their inputs, and kernels are laid out channels last.

    Args:
        model: A network traced as `graph`, or a cut of it; afterwards for evaluation only.
        graph: Its graph.
        half: Whether it may compute in bfloat16 where that is fast.

    Returns:
        The graph of what is left.
    """
    left = fold_norms(model, graph)
    for name in graph.overwriting:
        cast(Any, absent.found(model, name)).inplace = True
    device = device_of(model)
    if device.type == "cpu" and half and fast_type(device) is torch.bfloat16:
        fuse_activations(model, left)
    lay_out(model, torch.channels_last)
    return left


def batch_for(graph: PruningGraph, device: torch.device) -> int:
    """Samples a batch so that the maps of a batch stay in the device's caches.

    By size and not by trial: which batch wins a trial depends on what else the machine does, and
    sums in another order may decide a sample otherwise.
    """
    number = fast_type(device).itemsize
    largest = number * max(layer.outputs * layer.positions for layer in graph.layers)
    if device.type != "cpu":
        return int(max(GPU_CACHE // largest, 1))
    return int(min(max(CACHE // largest, 1), 4 * BATCH // number))


def laid_out(inputs: Any) -> Any:
    """Images channels last, in which convolutions are fastest; other inputs as they are."""
    return changed(inputs, _channels_last)


def _channels_last(one: Tensor) -> Tensor:
    # Of a line the strides pass for either layout, and oneDNN is wrong about some (`lay_out`).
    flat = one.dim() == 4 and min(one.shape[2:]) > 1
    return one.contiguous(memory_format=torch.channels_last) if flat else one
