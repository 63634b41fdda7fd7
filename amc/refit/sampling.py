"""What a layer multiplies its weights with: patches of its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from amc.tasks import Axis, Masked, masked


def patches(
    module: nn.Module,
    inputs: Tensor,
    positions: int,
    generator: torch.Generator,
    real: Tensor | None = None,
    axis: Axis = None,
) -> Tensor:
    """(rows, d) input patches at random output positions of each sample.

    Args:
        module: A convolution that is not transposed, or a linear layer.
        inputs: (samples, ...) as the module takes them.
        positions: For each sample; a linear layer of a single place has but that one.
        generator: Of the positions.
        real: (samples, places) which places of the inputs are no padding; None where all are.
        axis: Along which the inputs have these places; None where they have none.
    """
    told = None if real is None or axis is None else masked(real, inputs, axis)
    if not isinstance(module, _ConvNd):
        if axis == inputs.dim() - 1:  # All places are one row.
            told = None
        return _rows(inputs, positions, generator, told)
    padded = _pad(module, inputs)
    axes = len(module.kernel_size)
    places = []
    for own, (kernel, step, dilation) in enumerate(
        zip(module.kernel_size, module.stride, module.dilation, strict=True)
    ):
        steps = (padded.shape[2 + own] - dilation * (kernel - 1) - 1) // step + 1
        if told is None or told.axis != own + 2:
            drawn = torch.randint(steps, (len(inputs), positions), generator=generator)
        else:
            drawn = _among(_middles(module, own, steps, told.real), positions, generator)
        first = drawn[..., None] * step
        each = first + dilation * torch.arange(kernel)  # (samples, positions, kernel)
        shape = [kernel if own == at else 1 for at in range(axes)]
        places.append(each.reshape(len(inputs), positions, *shape))
    sample = torch.arange(len(inputs)).reshape(-1, *[1] * (axes + 1))
    where: Any = (sample, slice(None), *places)
    found = padded[where]
    # (samples, positions, *kernel, channels) -> (rows, channels * area)
    return found.movedim(-1, 2).flatten(2).flatten(0, 1)


def _rows(
    inputs: Tensor, positions: int, generator: torch.Generator, told: Masked | None
) -> Tensor:
    """(rows, features): every sample's features, at random positions where it has several."""
    if inputs.dim() == 2:
        return inputs if told is None else inputs[told.real.flatten()]
    numbers = inputs if told is None else told.numbers
    flat = numbers.flatten(1, -2)  # (samples, places, features)
    if told is None:
        chosen = torch.randint(flat.shape[1], (len(flat), positions), generator=generator)
    else:
        real = told.real[..., 0].expand(numbers.shape[:-1]).flatten(1)
        chosen = _among(real.cpu(), positions, generator)
    return flat[torch.arange(len(flat))[:, None], chosen].flatten(0, 1)


def _among(real: Tensor, positions: int, generator: torch.Generator) -> Tensor:
    """(samples, positions) random places among the real ones; any where a sample has none."""
    counts = real.sum(1, keepdim=True)
    order = torch.argsort(~real, dim=1, stable=True)  # the real ones first
    among = torch.where(counts > 0, counts, real.shape[1])
    drawn = torch.rand((len(real), positions), generator=generator) * among
    return order.gather(1, drawn.long().clamp_max(real.shape[1] - 1))


def _middles(module: _ConvNd, own: int, steps: int, real: Tensor) -> Tensor:
    """(samples, steps) whether the middle of each patch along an axis of the kernel is real."""
    flat = real.flatten(1).cpu()
    before = module._reversed_padding_repeated_twice[2 * (len(module.kernel_size) - 1 - own)]
    middle = module.dilation[own] * (module.kernel_size[own] // 2) - before
    places = (torch.arange(steps) * module.stride[own] + middle).clamp(0, flat.shape[1] - 1)
    return flat[:, places]


def _pad(module: _ConvNd, inputs: Tensor) -> Tensor:
    around = module._reversed_padding_repeated_twice
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return F.pad(inputs, around, mode=mode) if any(around) else inputs
