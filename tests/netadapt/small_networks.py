"""Networks for NetAdapt: one whose every proposal can be worked out by hand, and real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amc import Budget, Problem, Samples
from amc.granularity import Rounding
from amc.tasks import Classification


class Detectors(nn.Module):
    """Unit u of the first layer detects input u; rows of the second pass on what they read.

    Inputs are unit vectors, and what reaches the output votes for class 1; without a vote the bias
    decides for class 0. So an input counts as class 1 as long as its unit and the row stay.

    Args:
        strengths: (units,) of the first layer's units.
        rows: For each row of the second layer, the weight of each unit that it reads.
        votes: (rows,) of the last layer for class 1.
    """

    def __init__(
        self, strengths: Sequence[float], rows: Sequence[dict[int, float]], votes: Sequence[float]
    ) -> None:
        super().__init__()
        units = len(strengths)
        self.first = nn.Linear(units, units, bias=False)
        self.second = nn.Linear(units, len(rows), bias=False)
        self.last = nn.Linear(len(rows), 2)
        with torch.no_grad():
            self.first.weight.copy_(torch.diag(torch.tensor(strengths)))
            self.second.weight.zero_()
            for row, reads in enumerate(rows):
                for unit, weight in reads.items():
                    self.second.weight[row, unit] = weight
            self.last.weight.copy_(torch.stack([torch.zeros(len(votes)), torch.tensor(votes)]))
            self.last.bias.copy_(torch.tensor([0.1, 0.0]))

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.last(torch.relu(self.second(torch.relu(self.first(inputs)))))
        return logits


def labelled(*counts: tuple[int, int]) -> Samples:
    """For each input u, `(zeros, ones)`: how many samples of it have label 0 and label 1."""
    inputs, labels = [], []
    for unit, of_label in enumerate(counts):
        for label, count in enumerate(of_label):
            inputs += [unit] * count
            labels += [label] * count
    return Samples(torch.eye(len(counts))[inputs], torch.tensor(labels))


def by_hand(
    model: nn.Module,
    holdout: Samples,
    *budgets: str,
    train: Samples | None = None,
    calibration: Samples | None = None,
    **settings: Any,
) -> Problem:
    return Problem(
        model,
        holdout.array[:1],
        [Budget.parse(text) for text in budgets],
        Classification(train, holdout, calibration=calibration),
        **settings,
    )


class Mixed(nn.Module):
    """Depthwise and residual convolutions with norms, and a linear layer on all positions."""

    def __init__(self, stem: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, stem, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(stem, stem, 3, padding=1, groups=stem, bias=False)
        self.norm1 = nn.BatchNorm2d(stem)
        self.pointwise = nn.Conv2d(stem, 8, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 6, 3, padding=1)
        self.outer = nn.Conv2d(6, 8, 1)
        self.hidden = nn.Linear(8 * 16, 7)
        self.last = nn.Linear(7, 3)

    def forward(self, images: Tensor) -> Tensor:
        separate = torch.relu(self.norm1(self.depthwise(torch.relu(self.stem(images)))))
        features = torch.relu(self.norm2(self.pointwise(separate)))
        features = torch.relu(features + self.outer(torch.relu(self.inner(features))))
        logits: Tensor = self.last(torch.relu(self.hidden(features.flatten(1))))
        return logits


def mixed(seed: int = 0, stem: int = 5) -> Mixed:
    torch.manual_seed(seed)
    model = Mixed(stem)
    for norm in (model.norm1, model.norm2):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.3)
    return model.eval()


def striped(count: int, seed: int) -> Samples:
    """(count, 1, 8, 8) images of 3 classes: which third of the rows is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (count,), generator=generator)
    images = torch.randn(count, 1, 8, 8, generator=generator)
    bright = (torch.arange(8) // 3)[None, :] == labels[:, None]  # (count, rows)
    return Samples(images + 2.0 * bright[:, None, :, None], labels)


def trainable(*budgets: str, model: nn.Module | None = None, depth: bool = True) -> Problem:
    """A real network, untrained, with training samples."""
    return Problem(
        model or mixed(),
        torch.zeros(1, 1, 8, 8),
        [Budget.parse(text) for text in budgets],
        task=Classification(striped(200, seed=2), striped(60, seed=1), calibration=None),
        rounding=Rounding(depth=depth),
    )
