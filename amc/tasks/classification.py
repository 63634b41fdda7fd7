"""Classification: one class for every sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.tasks.batches import Data
from amc.tasks.distillation import distillation_loss
from amc.tasks.samples import Samples
from amc.tasks.score import Score
from amc.tasks.task import Labelled, Metric, Task, main_output

ACCURACY = Score("accuracy", bounds=(0.0, 1.0))

PART = 1 / 6
"""Of samples that nobody has parted, what is held out for scores, and once more for the test."""


@dataclass(frozen=True)
class Hits(Metric):
    """Whether each sample is classified rightly: 1 where it is. The score is accuracy."""

    score = ACCURACY
    each = True
    half = True

    @property
    def raced(self) -> Metric:
        """How clearly."""
        return Margins()

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(samples,) whether each is right."""
        logits, labels = main_output(outputs), labels_of(batch)
        check_labels(logits, labels)
        if logits.dim() == 1 or logits.shape[1] == 1:
            return torch.eq(logits.reshape(-1) > 0, labels > 0)
        return torch.eq(logits.argmax(1), labels)

    def compute(self, told: Tensor) -> float:
        """The fraction that is right."""
        return int(told.sum()) / len(told)


@dataclass(frozen=True)
class Margins(Metric):
    """How clearly each sample is classified rightly: above 0 where it is. The score is accuracy.

    Of several logits the right one's lead over the others; of a single one its own size, where its
    sign is right.
    """

    score = ACCURACY
    each = True
    half = True

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(samples,) margins."""
        logits, labels = main_output(outputs), labels_of(batch)
        check_labels(logits, labels)
        if logits.dim() == 1 or logits.shape[1] == 1:
            return _signed(logits.reshape(-1), labels)
        return _lead(logits, labels)

    def compute(self, told: Tensor) -> float:
        """The fraction of margins above 0."""
        return int((told > 0).sum()) / len(told)


def _signed(logit: Tensor, labels: Tensor) -> Tensor:
    margin = torch.where(labels > 0, logit, -logit).float().nan_to_num(nan=0.0)
    right = (logit > 0) == (labels > 0)
    return _decided(right, margin)


def _lead(logits: Tensor, labels: Tensor) -> Tensor:
    own, rows = labels[:, None], logits.float()
    margin = (rows.gather(1, own) - rows.scatter(1, own, -torch.inf).amax(1, keepdim=True))[:, 0]
    return _decided(torch.eq(logits.argmax(1), labels), margin.nan_to_num(nan=0.0))


def _decided(right: Tensor, margin: Tensor) -> Tensor:
    # Of two equal logits, or what is no number, the first counts as the answer.
    least = torch.finfo(margin.dtype).tiny
    return torch.where(right, margin.clamp_min(least), margin.clamp_max(0))


def labels_of(batch: Any) -> Any:
    """What follows the inputs in a batch.

    Raises:
        ValueError: if nothing does.
    """
    if isinstance(batch, tuple | list) and len(batch) > 1 and batch[-1] is not None:
        return batch[-1]
    for name in ("labels", "label", "targets", "target"):
        if hasattr(batch, "keys") and name in batch:
            return batch[name]
    raise ValueError(
        "task: batches have no labels; give (inputs, labels), or take amc.Unlabelled, which needs "
        "none"
    )


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """Refuse labels that are no classes of these logits.

    Raises:
        ValueError: in a sentence that names the task that they are for.
    """
    if labels.is_floating_point() or labels.dtype == torch.bool:
        kind = str(labels.dtype).removeprefix("torch.")
        raise ValueError(
            f"classification: labels are {kind}, and classes are whole numbers; for numbers take "
            "amc.Regression, for several yes or no amc.MultiLabel"
        )
    if labels.dim() != 1:
        raise ValueError(
            f"classification: labels of a batch are {tuple(labels.shape)}; give one class a "
            "sample, or take amc.Segmentation for one a pixel"
        )
    if logits.dim() not in (1, 2) or len(logits) != len(labels):
        raise ValueError(
            f"classification: the network answers {tuple(logits.shape)} for {len(labels)} "
            "samples; it must give (samples, classes) logits"
        )
    classes = max(2, logits.shape[1] if logits.dim() == 2 else 1)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"classification: labels go from {int(labels.min())} to {int(labels.max())}, and the "
            f"network tells {classes} classes apart; number them from 0"
        )


def cross_entropy(outputs: Any, batch: Any, smoothing: float = 0.0) -> Tensor:
    """The mean cross-entropy, in float32; of a single logit the binary one.

    Args:
        outputs: With the logits.
        batch: With the labels.
        smoothing: Probability mass that is spread over all classes.
    """
    logits, labels = main_output(outputs).float(), labels_of(batch)
    check_labels(logits, labels)
    labels = labels.to(logits.device)
    if logits.dim() == 1 or logits.shape[1] == 1:
        return yes_or_no(logits.reshape(-1), labels, smoothing)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def yes_or_no(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The mean binary cross-entropy of single logits, whose classes are smoothed as others are."""
    wanted = labels.float() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, wanted)


class Classification(Labelled):
    """One class for every sample; the score is the fraction that is classified rightly.

    The network answers (samples, classes) logits, or one logit whose sign decides.

    Args:
        train: Samples that the network was trained on: for the refit, for criteria that need some,
            and for fine-tuning.
        holdout: Samples that candidates are scored on; nobody trains on them, and they are not the
            test samples.
        test: Samples that no step of a search sees, for a report; None where there are none.
        calibration: For the refit and criteria; None leaves the refit out.
        **parts: `collect_func`, `loss_func`, `tune`, `mask_func` and `distill_func` as `Task` takes
            them, in place of the task's own.
    """

    own: ClassVar[Mapping[str, Any]] = {
        "loss_func": cross_entropy,
        "distill_func": distillation_loss,
        "metric": Hits(),
    }

    @classmethod
    def split(cls, samples: Samples, seed: int = 0) -> Classification:
        """Hold out two random parts of `PART` each, the same for the same seed.

        Raises:
            ValueError: if there are fewer than three samples.
        """
        train, holdout, test = three_parts(samples, seed)
        return cls(train, holdout, test)


Calibration = Data | Task
"""What a network is run on before it is pruned: a task's own calibration data, or data as they are,
whose first part goes into the network and whose labels, where a loss is asked for, are classes."""


@overload
def task_of(given: Calibration) -> Task: ...
@overload
def task_of(given: None) -> None: ...
def task_of(given: Calibration | None) -> Task | None:
    """The task whose data are meant; of data alone a classification of them."""
    if given is None or isinstance(given, Task):
        return given
    return Classification(given, given, calibration=given)


def calibrating(given: Calibration) -> tuple[Task, Data]:
    """The task and its calibration data.

    Raises:
        ValueError: if it has none.
    """
    task = task_of(given)
    if task.data_loader is None:
        raise ValueError(
            "task: the network is to be run on calibration data, and there are none; give "
            "data_loader"
        )
    return task, task.data_loader


def three_parts(samples: Samples, seed: int) -> tuple[Samples, Samples, Samples]:
    """To train on, to score on and to test on.

    Raises:
        ValueError: if there are fewer than three samples.
    """
    held_out = max(1, round(len(samples) * PART))
    if len(samples) < 3:
        raise ValueError(
            f"classification: {len(samples)} samples cannot be parted into those to train on, "
            "to score on and to test on; give three or more"
        )
    train, rest = samples.split(len(samples) - 2 * held_out, seed)
    return train, rest.take(slice(0, held_out)), rest.take(slice(held_out, None))
