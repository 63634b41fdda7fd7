"""What a layer multiplies its weights with: patches of its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd


def patches(
    module: nn.Module, inputs: Tensor, positions: int, generator: torch.Generator
) -> Tensor:
    """(rows, d) input patches at random output positions of each sample.

    Args:
        module: A convolution that is not transposed, or a linear layer.
        inputs: (samples, ...) as the module takes them.
        positions: For each sample; a linear layer of a single place has but that one.
        generator: Of the positions.
    """
    if not isinstance(module, _ConvNd):
        return _rows(inputs, positions, generator)
    padded = _pad(module, inputs)
    axes = len(module.kernel_size)
    places = []
    for axis, (kernel, step, dilation) in enumerate(
        zip(module.kernel_size, module.stride, module.dilation, strict=True)
    ):
        steps = (padded.shape[2 + axis] - dilation * (kernel - 1) - 1) // step + 1
        first = torch.randint(steps, (len(inputs), positions, 1), generator=generator) * step
        each = first + dilation * torch.arange(kernel)  # (samples, positions, kernel)
        shape = [kernel if axis == at else 1 for at in range(axes)]
        places.append(each.reshape(len(inputs), positions, *shape))
    sample = torch.arange(len(inputs)).reshape(-1, *[1] * (axes + 1))
    where: Any = (sample, slice(None), *places)
    found = padded[where]
    # (samples, positions, *kernel, channels) -> (rows, channels * area)
    return found.movedim(-1, 2).flatten(2).flatten(0, 1)


def _rows(inputs: Tensor, positions: int, generator: torch.Generator) -> Tensor:
    """(rows, features): every sample's features, at random positions where it has several."""
    if inputs.dim() == 2:
        return inputs
    flat = inputs.flatten(1, -2)  # (samples, places, features)
    chosen = torch.randint(flat.shape[1], (len(flat), positions), generator=generator)
    return flat[torch.arange(len(flat))[:, None], chosen].flatten(0, 1)


def _pad(module: _ConvNd, inputs: Tensor) -> Tensor:
    around = module._reversed_padding_repeated_twice
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return F.pad(inputs, around, mode=mode) if any(around) else inputs
