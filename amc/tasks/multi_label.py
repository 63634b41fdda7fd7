"""Several yes or no for every sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.tasks.classification import labels_of
from amc.tasks.score import Score
from amc.tasks.task import Labelled, Metric, main_output


@dataclass(frozen=True)
class MicroF1(Metric):
    """F1 over all labels of all samples: 2 TP / (2 TP + FP + FN), a logit above 0 being a yes."""

    score = Score("F1", bounds=(0.0, 1.0), about="over all labels of all samples (micro)")
    half = True

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, 2): twice the true positives, and all that was said or is."""
        logits, labels = checked(outputs, batch)
        said, true = logits > 0, labels > 0
        both = (said & true).sum()
        return torch.stack([2 * both, said.sum() + true.sum()]).double()[None]

    def compute(self, told: Tensor) -> float:
        """1 where nothing is said and nothing is."""
        twice, either = told.tolist()
        return twice / either if either else 1.0


def checked(outputs: Any, batch: Any) -> tuple[Tensor, Tensor]:
    """Logits and labels of one shape.

    Raises:
        ValueError: if they have another.
    """
    logits, labels = main_output(outputs), labels_of(batch)
    if logits.shape != labels.shape:
        raise ValueError(
            f"multi-label: the network answers {tuple(logits.shape)} and labels are "
            f"{tuple(labels.shape)}; give a 0 or 1 for each logit"
        )
    if labels.numel() and not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError(
            f"multi-label: labels go from {labels.min().item():g} to {labels.max().item():g}; give "
            "a 0 or 1 for each logit"
        )
    return logits, labels


def binary_cross_entropy(outputs: Any, batch: Any) -> Tensor:
    """The mean over samples and labels."""
    logits, labels = checked(outputs, batch)
    return F.binary_cross_entropy_with_logits(logits.float(), labels.to(logits.device).float())


class MultiLabel(Labelled):
    """Several yes or no for every sample; the score is F1 over all of them.

    The network answers one logit a label, (samples, labels), and labels are 0 or 1.

    Args:
        train: As `Classification` takes it.
        holdout: The same.
        test: The same.
        calibration: The same.
        **parts: As `Classification` takes them.
    """

    own: ClassVar[Mapping[str, Any]] = {"loss_func": binary_cross_entropy, "metric": MicroF1()}
