"""An LSTM that foretells a series: sums of two waves with noise, the next value from 48 before."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import amc
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.training import trained

LENGTH = 48


class Foreteller(nn.Module):
    """The next value of a series.

    Args:
        width: Hidden units.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, width, num_layers=2, batch_first=True)
        self.hidden, self.last = nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, series: Tensor) -> Tensor:
        states, _ = self.recurrent(series)
        made: Tensor = self.last(torch.relu(self.hidden(states[:, -1])))
        return made


def waves(count: int, seed: int) -> amc.Samples:
    """Series (count, `LENGTH`, 1), and the value behind each, (count, 1)."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(LENGTH + 1) / 8
    drawn = torch.rand(6, count, 1, generator=generator)
    rates, phases, sizes = 0.3 + drawn[:2] * 2, drawn[2:4] * 2 * math.pi, 0.5 + drawn[4:]
    clean = (sizes * torch.sin(rates * time + phases)).sum(0)
    noise = 0.05 * torch.randn(count, LENGTH + 1, generator=generator)
    series = (clean + noise)[..., None]
    return amc.Samples(series[:, :-1], series[:, -1])


def make(small: bool) -> Work:
    """Trained on 8,000 series."""
    parts = (64, 32, 32) if small else (8000, 2000, 2000)
    train, holdout, test = (waves(count, seed) for seed, count in enumerate(parts))
    task = amc.Regression(train, holdout, test)
    torch.manual_seed(0)
    network = Foreteller(8 if small else 64)
    recipe = amc.Recipe(lr=3e-3, optimizer="adamw", batch_size=64)
    trained("series", network, task, recipe, 4 if small else 2500, keep=not small)
    tuning = amc.Recipe(lr=1e-3, optimizer="adamw", batch_size=64)
    return Work(network, train.array[:1], task, tuning, 4 if small else 250)


CASE = Case("an LSTM of two layers that foretells the next value of a series", make, "macs=0.3", 60)
