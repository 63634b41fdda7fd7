"""From a number for each weight to one for each channel of a member, and each unit of a group."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from amc.structure import Member, Side


def channel_sums(module: nn.Module, values: Tensor, side: Side) -> Tensor:
    """(channels,) sums of the values of the weights that each channel of a side has.

    Args:
        module: A convolution, also a grouped or transposed one, or a linear layer.
        values: In the shape of its weight.
        side: "out" for its output channels, "in" for its input channels.
    """
    first: Side = "in" if isinstance(module, _ConvTransposeNd) else "out"
    if side == first:
        return values.flatten(1).sum(1)
    groups = getattr(module, "groups", 1)
    # The second axis counts channels within a block of a grouped convolution.
    blocks = values.reshape(groups, len(values) // groups, values.shape[1], -1)
    return blocks.sum((1, 3)).flatten()


def unit_sums(module: nn.Module, values: Tensor, member: Member) -> Tensor:
    """(units,) sums of the values of the weights that each unit takes from a member."""
    index = torch.tensor(member.indices, device=values.device)  # (units, channels of a unit)
    return channel_sums(module, values, member.side)[index].sum(1)
