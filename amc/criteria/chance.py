"""Any unit as soon as another: what every other criterion has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from amc.criteria.base import Asked, Criterion, weighted_layers


def chance() -> Criterion:
    """Scores drawn evenly from [0, 1), the same for the same seed."""
    return Criterion("drawn at random, as the control", _units, _weights)


def _units(asked: Asked) -> list[Tensor]:
    return _draw(asked.seed, [(group.units,) for group in asked.graph.groups])


def _weights(asked: Asked) -> dict[str, Tensor]:
    weights = weighted_layers(asked)
    drawn = _draw(asked.seed, [tuple(weight.shape) for weight in weights.values()])
    return {
        name: score.to(weight.device)
        for (name, weight), score in zip(weights.items(), drawn, strict=True)
    }


def _draw(seed: int, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    # Not by torch: a network that began with the same seed has weights of the same numbers.
    generator = np.random.default_rng(seed)
    return [torch.from_numpy(generator.random(shape, dtype=np.float32)) for shape in shapes]
