"""Channels that a batch norm scales down go first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from amc.criteria.base import Asked, Criterion
from amc.graph import Group


def bn_scale() -> Criterion:
    """Mean |gamma| over the batch norms of a group.

    Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017.
    It says most after training with a penalty on gamma. Not scaled: the paper compares the gammas
    of all layers with one threshold.
    """
    return Criterion(
        "scale of the batch norms, |gamma|",
        _units,
        "a batch norm's scale belongs to a whole channel",
    )


def _units(asked: Asked) -> list[Tensor]:
    found = [_gammas(asked, group) for group in asked.graph.groups]
    bare = [group.name for group, parts in zip(asked.graph.groups, found, strict=True) if not parts]
    if bare:
        raise ValueError(
            f"criterion 'bn-scale': no batch norm with a scale follows {', '.join(bare)}; "
            "leave these layers out of the pruning, or take another criterion"
        )
    return [torch.stack(parts).mean(0) for parts in found]


def _gammas(asked: Asked, group: Group) -> list[Tensor]:
    """For each batch norm of the group, (units,) mean |gamma| of a unit's channels."""
    norms = [(member, asked.model.get_submodule(member.module)) for member in group.members]
    return [
        norm.weight.detach().abs()[torch.tensor(member.indices, device=norm.weight.device)].mean(1)
        for member, norm in norms
        if isinstance(norm, _BatchNorm) and norm.affine
    ]
