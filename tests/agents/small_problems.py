"""Problems on which an agent's episode takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from amc import Budget, Outcome, Problem, Samples
from amc.costs import Macs
from amc.tasks import Classification


class Asked(Problem):
    """Remembers every question, those answered from memory among them."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.asked: list[tuple[int, ...]] = []

    def evaluate(self, kept: Sequence[int]) -> Outcome:
        self.asked.append(tuple(kept))
        return super().evaluate(kept)


class Known(Problem):
    """Its best candidate is known: accuracy falls smoothly with the distance from it.

    Attributes:
        accuracies: Of every question, in order.
    """

    wanted = (56, 16)

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.accuracies: list[float] = []

    def evaluate(self, kept: Sequence[int]) -> Outcome:
        away = np.subtract(kept, self.wanted) / self.graph.full
        self.accuracies.append(float(np.exp(-4 * np.sqrt(np.mean(away**2)))))
        return self.record(kept, self.accuracies[-1])


def convolutions(*widths: int) -> nn.Sequential:
    """Convolutions on 8 x 8 pixels, of strides 1 and 2 in turn, and a head of 3 logits."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number, (before, width) in enumerate(zip((1, *widths), widths, strict=False)):
        layers += [nn.Conv2d(before, width, 3, stride=1 + number % 2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 3))


def small(*budgets: str, widths: Sequence[int] = (6, 8, 7), kind: Any = Asked) -> Any:
    """Three groups, and accuracies of a network that nobody trained."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(40, 1, 8, 8, generator=generator)
    holdout = Samples(images, torch.randint(0, 3, (40,), generator=generator))
    parsed = [Budget.parse(text) for text in budgets]
    return kind(convolutions(*widths), images[:1], parsed, task=Classification(None, holdout))


def known() -> Known:
    """Two groups; the best candidate uses the budget up, far from the uniform policy."""
    model = nn.Sequential(
        *(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    )
    inputs, labels = torch.zeros(1, 4), torch.zeros(1, dtype=torch.long)
    free = Known(model, inputs, [], task=Classification(None, Samples(inputs, labels)))
    budget = Budget("macs", Macs(free.graph)(free.wanted), relative=False)
    return Known(model, inputs, [budget], task=Classification(None, Samples(inputs, labels)))
