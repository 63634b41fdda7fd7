"""Small weights go first."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from amc.criteria.base import Asked, Criterion, unit_weights, weighted_layers
from amc.criteria.members import group_sums
from amc.graph import Group

POWER = 0.5
"""p of `lp` where none is given: between counting weights (0) and their sizes (1)."""


def lp(power: float = POWER) -> Criterion:
    """Lp norm of the weights.

    p = 1 is the criterion of Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017; by
    p = 2 NetAdapt ranks filters (Yang et al., 2018, 3.3). Of single weights p leaves the order as
    it is; of many, a small p favours units whose weights are even, a large one those with peaks.

    Args:
        power: p, in [0.1, 10].

    Raises:
        ValueError: if it is out of range.
    """
    if not 0.1 <= power <= 10:
        raise ValueError(f"criterion lp:{power:g}: p must lie between 0.1 and 10, as in lp:0.5")
    about = f"L{power:g} norm of the weights"
    return Criterion(about, partial(_units, power=power), partial(_weights, power=power))


def _weights(asked: Asked, power: float) -> dict[str, Tensor]:
    return {name: w.abs().float().pow(power) for name, w in weighted_layers(asked).items()}


def _units(asked: Asked, power: float) -> list[Tensor]:
    # In double precision, because the root of a small p raises large sums to a high power.
    powers = {name: w.double().abs().pow(power) for name, w in unit_weights(asked).items()}
    return [_magnitude(asked, group, powers, power) for group in asked.graph.groups]


def _magnitude(asked: Asked, group: Group, powers: dict[str, Tensor], power: float) -> Tensor:
    """Mean over the group's members and slices of each one's norm, which is first scaled to mean 1.

    The scaling keeps a member with many large weights from deciding for all.
    """
    sums = group_sums(asked.model, group, powers)
    norms = [total.pow(1 / power) for _, total in sums]
    tiny = torch.finfo(torch.float32).tiny
    parts = [norm / norm.mean().clamp_min(tiny) for norm in norms]
    return torch.stack(parts).mean(0).float()
