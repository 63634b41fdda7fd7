"""Any metric of the torchmetrics package as a task's score."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Unpack

from amc.tasks.batches import Data
from amc.tasks.classification import labels_of
from amc.tasks.own_code import own_code
from amc.tasks.score import Score
from amc.tasks.task import (
    FromTrain,
    Metric,
    Parts,
    Task,
    loaders_of,
    main_output,
)

Predict = Callable[[Any], Any]
"""From a network's outputs to what a metric takes as predictions."""


@dataclass(frozen=True)
class Metered(Metric):
    """A metric that keeps its own count.

    Args:
        meter: With `update(predictions, targets)` and `compute()`.
        score: What it computes.
        predict: From outputs to predictions.
        key: Which of several numbers it computes; empty where it is one.
    """

    meter: Any
    score: Score
    predict: Predict
    key: str
    in_turn = True

    def fresh(self) -> Metered:
        """One that has seen nothing; the user's own is never updated."""
        meter = copy.deepcopy(self.meter)
        meter.reset()
        return replace(self, meter=meter)

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, 0): it keeps its own count."""
        with own_code("predict", "outputs", self.predict):
            said = self.predict(outputs)
        with own_code("the metric", "predictions and targets"):
            self.meter.update(said, labels_of(batch))
        return torch.zeros(1, 0)

    def compute(self, told: Tensor) -> float:
        """What the metric has come to."""
        found = self.meter.compute()
        if isinstance(found, Mapping):
            found = found[self._chosen(found)]
        if self.score.bounds is not None and bool(torch.as_tensor(found).isnan().all()):
            return self.score.worst(None)  # Such as a correlation with one answer for all.
        number = torch.as_tensor(found)
        if number.numel() == 1 and not bool(torch.isfinite(number).all()):
            return float(number)  # Told to be the worst there can be.
        return self.score.check(found, type(self.meter).__name__)

    def _chosen(self, found: Mapping[str, Any]) -> str:
        if self.key in found:
            return self.key
        raise ValueError(
            f"task: {type(self.meter).__name__} computes {', '.join(found)}; say which is the "
            "score with key"
        )


class TorchMetric(Task):
    """The score is what a metric of torchmetrics computes over batches of (inputs, targets).

    Args:
        metric: Such as `torchmetrics.AveragePrecision(...)`; a copy of it is updated.
        holdout: Batches that candidates are scored on, which no step trains on.
        test: The same that no step of a search sees.
        train: For the refit, and fine-tuning where there is a loss.
        calibration: For the refit and criteria.
        predict: From the network's outputs to what the metric takes as predictions; None takes the
            logits among them, or the first tensor.
        key: Of a metric that computes several numbers, the name of the score.
        higher_is_better: Where the metric does not say it itself.
        bounds: The lowest and the highest that the metric can be, where it has such.
        **parts: As `Classification` takes them.

    Raises:
        ValueError: if it is no such metric, or neither it nor the caller says which way is better.
    """

    def __init__(
        self,
        metric: Any,
        holdout: Data,
        test: Data | None = None,
        *,
        train: Data | None = None,
        calibration: Data | FromTrain | None = "train",
        predict: Predict | None = None,
        key: str = "",
        higher_is_better: bool | None = None,
        bounds: tuple[float, float] | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        if not all(
            callable(getattr(metric, name, None)) for name in ("update", "compute", "reset")
        ):
            raise ValueError(
                f"task: {type(metric).__name__} is no metric of torchmetrics; give an object with "
                "update(), compute() and reset()"
            )
        score = _score(metric, key, higher_is_better, bounds)
        data: dict[str, Any] = loaders_of(train, holdout, test, calibration)
        super().__init__(
            metric=Metered(metric, score, predict or main_output, key), **data, **parts
        )


def _score(metric: Any, key: str, given: bool | None, bounds: tuple[float, float] | None) -> Score:
    own = getattr(metric, "higher_is_better", None)
    higher = own if given is None else given
    if higher is None:
        raise ValueError(
            f"task: {type(metric).__name__} does not say which way is better; give higher_is_better"
        )
    return Score(key or type(metric).__name__, higher_is_better=bool(higher), bounds=bounds)
