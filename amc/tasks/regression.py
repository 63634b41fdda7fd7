"""Regression: numbers for every sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from amc.tasks.classification import labels_of
from amc.tasks.score import Score
from amc.tasks.task import Labelled, Metric, main_output


@dataclass(frozen=True)
class SquaredError(Metric):
    """The mean squared error over all numbers of all samples."""

    score = Score("mean squared error", higher_is_better=False)

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, 2): the sum of squares, and of how many."""
        difference = errors(outputs, batch).double()
        return torch.stack([difference.square().sum(), _count(difference)])[None]

    def compute(self, told: Tensor) -> float:
        """Their quotient."""
        return float(told[0] / told[1])


def _count(one: Tensor) -> Tensor:
    return torch.tensor(float(one.numel()), dtype=torch.float64)


def errors(outputs: Any, batch: Any) -> Tensor:
    """What the network answers, less the targets.

    Raises:
        ValueError: if their shapes differ by more than axes of one.
    """
    answers, targets = main_output(outputs), labels_of(batch)
    if not isinstance(targets, Tensor):
        raise ValueError(
            f"regression: targets are a {type(targets).__name__}; give a tensor of numbers"
        )
    targets = targets.to(answers.device)
    if answers.squeeze().shape != targets.squeeze().shape:
        raise ValueError(
            f"regression: the network answers {tuple(answers.shape)} and targets are "
            f"{tuple(targets.shape)}; give a number for each of its own"
        )
    return answers.float() - targets.reshape(answers.shape).float()


def squared_error(outputs: Any, batch: Any) -> Tensor:
    """The mean over all numbers."""
    return errors(outputs, batch).square().mean()


class Regression(Labelled):
    """Numbers for every sample; the score is the mean squared error, and lower is better.

    Args:
        train: As `Classification` takes it; targets have the shape of what the network answers,
            or lack axes of one.
        holdout: The same.
        test: The same.
        calibration: The same.
        **parts: As `Classification` takes them.
    """

    own: ClassVar[Mapping[str, Any]] = {"loss_func": squared_error, "metric": SquaredError()}
