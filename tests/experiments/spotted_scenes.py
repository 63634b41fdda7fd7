"""Networks and tasks of a user's own: scenes whose bright places are to be found."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import amc

FAILS_AT = 0
"""Which call of `breaking`'s score fails; 0 none."""


class Finder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            *(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.ReLU()),
        )
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, scenes: Tensor) -> dict[str, Tensor]:
        return {"out": self.last(self.body(scenes))}


def network(width: int = 12, doubled: bool = False) -> nn.Module:
    return Finder(width * (1 + doubled))


def scenes(count: int, seed: int, *, shuffle: bool = False) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(seed)
    bright = torch.rand(count, 8, 8, generator=generator)
    labels = (bright > 0.4).long() + (bright > 0.8).long()
    noisy = bright + 0.05 * torch.randn(count, 8, 8, generator=generator)
    return DataLoader(TensorDataset(noisy[:, None], labels), 16, shuffle=shuffle)


def task() -> amc.Task:
    return amc.Segmentation(scenes(96, 0, shuffle=True), scenes(48, 1), scenes(32, 2))


def flat() -> amc.Task:
    """A loss without a gradient."""
    return amc.Segmentation(
        scenes(48, 0),
        scenes(48, 1),
        loss_func=lambda outputs, batch: outputs["out"].detach().mean(),
    )


def breaking_loss() -> amc.Task:
    return amc.Segmentation(
        scenes(48, 0), scenes(48, 1), loss_func=lambda outputs, batch: outputs["boxes"].mean()
    )


def tuning() -> amc.Task:
    """Training of its own."""
    return amc.Segmentation(scenes(48, 0), scenes(48, 1), tune=lambda model, steps: None)


def size(model: nn.Module) -> float:
    """How large answers are, which shall be small."""
    made: Tensor = model(torch.ones(2, 1, 8, 8))["out"]
    return float(made.square().mean())


def shrinking() -> tuple[amc.Task, Tensor]:
    score = amc.Score("size of answers", "units", higher_is_better=False)
    return amc.Task(size, score), torch.zeros(1, 1, 8, 8)


class Breaking:
    """A score that fails once."""

    calls = 0

    def __call__(self, model: nn.Module) -> float:
        Breaking.calls += 1
        if Breaking.calls == FAILS_AT:
            raise RuntimeError("the camera is gone")
        return size(model)


def breaking() -> tuple[amc.Task, Tensor]:
    Breaking.calls = 0
    return amc.Task(Breaking(), amc.Score("size")), torch.zeros(1, 1, 8, 8)


def nothing() -> None:
    return None


def not_a_number() -> tuple[amc.Task, Tensor]:
    return amc.Task(lambda model: float("nan")), torch.zeros(1, 1, 8, 8)


def of_no_batches() -> amc.Task:
    return amc.Task(size)


def of_other_inputs() -> tuple[amc.Task, Tensor]:
    return amc.Task(size), torch.zeros(1, 3, 8, 8)


def shuffled() -> amc.Task:
    return amc.Segmentation(None, scenes(48, 1, shuffle=True))


def failing() -> amc.Task:
    raise OSError("no such camera")
