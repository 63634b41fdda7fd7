"""Segmentation: one class for every place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import Unpack

from amc.tasks.batches import Data
from amc.tasks.classification import labels_of, yes_or_no
from amc.tasks.distillation import distillation_loss
from amc.tasks.score import Score
from amc.tasks.task import FromTrain, Metric, Parts, Task, loaders_of, main_output

IGNORED = 255
"""The label of places that do not count, as in Pascal VOC and Cityscapes."""


@dataclass(frozen=True)
class MeanIoU(Metric):
    """Intersection over union of each class, averaged over the classes that occur.

    Args:
        ignore: The label of places that do not count.
    """

    ignore: int = IGNORED
    score = Score("mean IoU", bounds=(0.0, 1.0))
    half = True

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, classes * classes): places by label and answer."""
        logits, labels = of_places(outputs, batch, self.ignore)
        classes = max(2, logits.shape[1])
        answers = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
        real = labels != self.ignore
        pairs = labels[real] * classes + answers[real]
        return torch.bincount(pairs, minlength=classes * classes).double()[None]

    def compute(self, told: Tensor) -> float:
        """Of classes that neither are nor are answered, nothing is told.

        Raises:
            ValueError: if no place counted.
        """
        size = round(len(told) ** 0.5)
        table = told.reshape(size, size)
        both = table.diagonal()
        either = table.sum(0) + table.sum(1) - both
        there = either > 0
        if not there.any():
            raise ValueError(
                f"segmentation: every place has the ignored label {self.ignore}; give labels that "
                "count, or another ignore"
            )
        return float((both[there] / either[there]).mean())


def of_places(outputs: Any, batch: Any, ignore: int) -> tuple[Tensor, Tensor]:
    """Logits as large as the labels, (samples, classes, height, width), and the labels.

    Networks that answer at a lower resolution are scaled up, as they are trained.

    Raises:
        ValueError: if they do not go together.
    """
    logits, labels = main_output(outputs), labels_of(batch)
    if labels.dim() == 4 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.is_floating_point() or logits.dim() != labels.dim() + 1:
        raise ValueError(
            f"segmentation: the network answers {tuple(logits.shape)} and labels are "
            f"{tuple(labels.shape)} {str(labels.dtype).removeprefix('torch.')}; it must give "
            "(samples, classes, height, width) for labels (samples, height, width) of whole numbers"
        )
    labels, classes = labels.long(), max(2, logits.shape[1])
    real = labels[labels != ignore]
    if len(real) and not 0 <= int(real.min()) <= int(real.max()) < classes:
        raise ValueError(
            f"segmentation: labels go from {int(real.min())} to {int(real.max())} beside the "
            f"ignored {ignore}, and the network tells {classes} classes apart"
        )
    if logits.shape[2:] != labels.shape[1:]:
        logits = F.interpolate(
            logits.float(), labels.shape[1:], mode="bilinear", align_corners=False
        )
    return logits, labels


def places_cross_entropy(outputs: Any, batch: Any, ignore: int, smoothing: float = 0.0) -> Tensor:
    """The mean over all places that count, with smoothed labels as `cross_entropy` has them."""
    logits, labels = of_places(outputs, batch, ignore)
    labels = labels.to(logits.device)
    if logits.shape[1] == 1:
        real = labels != ignore
        return yes_or_no(logits[:, 0].float()[real], labels[real], smoothing)
    return F.cross_entropy(logits.float(), labels, ignore_index=ignore, label_smoothing=smoothing)


class Segmentation(Task):
    """One class for every place; the score is the mean intersection over union.

    The network answers (samples, classes, height, width) logits, or (samples, 1, height, width)
    whose sign decides, at any resolution; alone, or as the first of its outputs.

    Args:
        train: As `Classification` takes it; labels are (samples, height, width).
        holdout: The same.
        test: The same.
        calibration: The same.
        ignore: The label of places that do not count.
        **parts: As `Classification` takes them.
    """

    def __init__(
        self,
        train: Data | None,
        holdout: Data,
        test: Data | None = None,
        *,
        calibration: Data | FromTrain | None = "train",
        ignore: int = IGNORED,
        **parts: Unpack[Parts],
    ) -> None:
        own: dict[str, Any] = {
            "loss_func": partial(places_cross_entropy, ignore=ignore),
            "distill_func": distillation_loss,
        }
        data: dict[str, Any] = loaders_of(train, holdout, test, calibration)
        super().__init__(metric=MeanIoU(ignore), **data, **{**own, **parts})
