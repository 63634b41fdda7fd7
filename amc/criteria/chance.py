"""Any unit as soon as another: what every other criterion has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from amc.criteria.base import Asked, Criterion, weighted_layers


def chance() -> Criterion:
    """Scores drawn evenly from [0, 1), the same for the same seed."""
    return Criterion("drawn at random, as the control", _units, _weights)


def _units(asked: Asked) -> list[Tensor]:
    generator = torch.Generator().manual_seed(asked.seed)
    return [torch.rand(group.units, generator=generator) for group in asked.graph.groups]


def _weights(asked: Asked) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(asked.seed)
    return {
        name: torch.rand(weight.shape, generator=generator).to(weight.device)
        for name, weight in weighted_layers(asked).items()
    }
