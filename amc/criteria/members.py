"""From a number for each weight to one for each channel of a member, and each unit of a group."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amc.graph import Group, Member, Side, Slice
from amc.modules import groups_of, known_kind


def channel_sums(module: nn.Module, values: Tensor, side: Side) -> Tensor:
    """(channels,) sums of the values of the weights that each channel of a side has.

    Args:
        module: One with weights that `amc.modules` knows: a convolution, also grouped or transposed
            ones, a linear layer, attention, an embedding.
        values: In the shape of its weight.
        side: "out" for its output channels, "in" for its input channels.
    """
    if known_kind(module).weight.index(side) == 0:
        return values.flatten(1).sum(1)
    groups = groups_of(module)
    # The second axis counts channels within a block of a grouped convolution.
    blocks = values.reshape(groups, len(values) // groups, values.shape[1], -1)
    return blocks.sum((1, 3)).flatten()


def slice_sums(values: Tensor, part: Slice) -> Tensor:
    """(units,) sums of the values that each unit takes from a tensor outside of known modules."""
    index = torch.tensor(part.indices, device=values.device)  # (units, places of a unit)
    return values.movedim(part.axis, 0).flatten(1).sum(1)[index].sum(1)


def group_sums(
    model: nn.Module, group: Group, values: Mapping[str, Tensor]
) -> list[tuple[Side | None, Tensor]]:
    """For each member and slice with weights its side, and (units,) `unit_sums` or `slice_sums`.

    Args:
        model: The network.
        group: One of its groups.
        values: Of each weight, by the names of `amc.criteria.base.unit_weights`.
    """
    members = (member for member in group.members if member.module in values)
    own = (part for part in group.slices if part.side is not None)
    return [
        *((m.side, unit_sums(model.get_submodule(m.module), values[m.module], m)) for m in members),
        *((part.side, slice_sums(values[part.tensor], part)) for part in own),
    ]


def unit_sums(module: nn.Module, values: Tensor, member: Member) -> Tensor:
    """(units,) sums of the values of the weights that each unit takes from a member."""
    index = torch.tensor(member.indices, device=values.device)  # (units, channels of a unit)
    return channel_sums(module, values, member.side)[index].sum(1)
