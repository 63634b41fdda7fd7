"""Inputs alone: the score is how closely a network still answers as the unpruned one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from amc.modules import tensors
from amc.tasks.batches import Data
from amc.tasks.distillation import relative_error
from amc.tasks.samples import Samples
from amc.tasks.score import Score
from amc.tasks.task import Collect, FromTrain, Mask, Metric, Task, calibration_of

ABOUT = (
    "1 / (1 + e) of each sample, with e the mean squared difference from the unpruned network's "
    "answer as a part of what that answer varies by over the batch; of whole numbers the part that "
    "is the same; averaged over outputs and samples"
)


@dataclass(frozen=True)
class Agreement(Metric):
    """How closely answers are those of the unpruned network, each output by itself.

    1 where they are the same, 1/2 where they differ by as much as the unpruned network's answers
    differ from sample to sample, as a constant would.
    """

    score = Score("agreement", bounds=(0.0, 1.0), about=ABOUT)
    each = True
    against = True

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(samples,) agreements, the mean over outputs."""
        made, wanted = tensors(outputs), tensors(unpruned)
        if [one.shape for one in made] != [one.shape for one in wanted]:
            raise ValueError(
                f"unlabelled: the pruned network answers {_shapes(made)} where the unpruned one "
                f"answers {_shapes(wanted)}; let it return what it has before it chooses "
                "(amc.returning), or give a score_func"
            )
        if not made:
            raise ValueError("unlabelled: the network answers nothing that is a tensor")
        pairs = zip(made, wanted, strict=True)
        return torch.stack([_alike(*pair) for pair in pairs]).mean(0)


def _alike(made: Tensor, wanted: Tensor) -> Tensor:
    """(samples,) how alike two outputs are."""
    if made.dim() == 0:
        made, wanted = made[None], wanted[None]
    if not wanted.is_floating_point():
        return (
            (made == wanted).flatten(1).double().mean(1)
            if made.dim() > 1
            else (made == wanted).double()
        )
    made, wanted = made.double().flatten(1), wanted.double().flatten(1)
    apart = (made - wanted).square().mean(1)
    centre = wanted.mean(0) if len(wanted) > 1 else wanted.mean()
    spread = (wanted - centre).square().mean().clamp_min(1e-24)
    return (1 / (1 + apart / spread)).nan_to_num(nan=0.0)


def _shapes(found: list[Tensor]) -> str:
    return ", ".join(str(tuple(one.shape)) for one in found)


class Unlabelled(Task):
    """Inputs alone, no labels and no metric: the score is the agreement with the unpruned network.

    Args:
        inputs: What the network is used on: a tensor of samples, `Samples`, or batches of inputs;
            what follows the inputs in a batch is not read.
        holdout: Others that candidates are scored on; None takes the same, which is fair as long as
            few weights are learned from them: a refit is.
        test: Others that no step of a search sees.
        calibration: For the refit and criteria; "train" takes the first of the inputs.
        collect_func: As `Task` takes it.
        mask_func: As `Task` takes it.
    """

    def __init__(
        self,
        inputs: Data | Tensor,
        holdout: Data | Tensor | None = None,
        test: Data | Tensor | None = None,
        *,
        calibration: Data | FromTrain | None = "train",
        collect_func: Collect | None = None,
        mask_func: Mask | None = None,
    ) -> None:
        train = _data(inputs)
        super().__init__(
            data_loader=calibration_of(calibration, train),
            train_loader=train,
            collect_func=collect_func,
            mask_func=mask_func,
            distill_func=relative_error,
            metric=Agreement(),
            score_loader=train if holdout is None else _data(holdout),
            test_loader=None if test is None else _data(test),
        )


def _data(inputs: Data | Tensor) -> Data:
    return Samples(inputs) if isinstance(inputs, Tensor) else inputs
