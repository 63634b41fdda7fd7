"""What a forward pass holds in memory: every tensor, during which operations, and how it shrinks.

Nothing is derived from what an operation does, but for concatenation: the network runs once as it
is, and a few times with random units less of all groups, once on twice as many samples; tensors at
the same place are compared. That follows any code, inside of modules too. Where a size cannot be
told from that, the network runs once with one unit less of each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Activation, PruningGraph, Width
from amc.modules import Inputs, alias, changed, first_call, narrow_attention, samples_of
from amc.tracing.recording import Made, record
from amc.tracing.shrinking import Parts, growing, shrinking


def activations(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> tuple[Activation, ...]:
    """Every tensor that a forward pass holds beside the stored weights, in the order they are made.

    PyTorch's own attention runs as in a cut network (`amc.modules`), operation by operation.
    Where a network of one unit less runs other operations or none, tensors are taken not to shrink
    with that group; where twice the samples do, all are taken to grow with the batch. So a tensor
    may be made too large, never too small; but where numbers decide how many places there are, as
    of the boxes that a detector finds, there are as many as these inputs have.

    Args:
        model: In evaluation mode; left as it is.
        graph: Its groups.
        inputs: Of its forward pass, samples along the first axis.
    """
    model, inputs = _with_plain_attention(alias(model)), first_call(inputs)
    full, samples = record(model, inputs), samples_of(inputs)
    grows = growing(model, graph, full, inputs, _twice(inputs, samples))
    found = shrinking(model, graph, full, inputs) if graph.groups else ()
    return tuple(
        Activation(
            made.first,
            made.last,
            *_size(made, graph.full, found[at] if found else [()] * len(made.shape)),
            samples=samples if grows[at] else 0,
        )
        for at, made in enumerate(full)
    )


def _with_plain_attention(model: nn.Module) -> nn.Module:
    """In place: PyTorch's own attention as cut networks have it."""
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            narrow_attention(module)
    return model


def _twice(inputs: Inputs, samples: int) -> Any:
    """Inputs with all of their samples twice."""

    def twice(tensor: Tensor) -> Tensor:
        batched = tensor.dim() and tensor.shape[0] == samples
        return torch.cat([tensor, tensor]) if batched else tensor

    return changed(inputs, twice)


def _size(
    made: Made, units: Sequence[int], parts: Sequence[Parts]
) -> tuple[float, tuple[Width, ...]]:
    """Bytes for each product of the widths, and the widths.

    Args:
        made: In the whole network.
        units: Of each group.
        parts: Of each of its axes.
    """
    widths, whole = [], made.bytes / prod(made.shape)
    for size, own in zip(made.shape, parts, strict=True):
        if own:
            fixed = size - sum(units[group] * each for group, each in own)
            widths.append(Width(fixed, own))
        else:
            whole *= size
    return whole, tuple(widths)
