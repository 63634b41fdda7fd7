"""Inputs alone: the score is how closely a network still answers as the unpruned one does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Unpack

from amc.modules import tensors
from amc.tasks.batches import Data, size_of
from amc.tasks.distillation import relative_error
from amc.tasks.samples import Samples
from amc.tasks.score import Score
from amc.tasks.task import FromTrain, Mask, Metric, Parts, Task, calibration_of
from amc.tasks.variation import Variation, has_places, over_places

ABOUT = (
    "1 / (1 + e) of each sample, with e the mean squared difference from the unpruned network's "
    "answer as a part of what its answers vary by from sample to sample; of whole numbers the part "
    "that is the same; averaged over outputs and samples"
)


@dataclass(frozen=True)
class Agreement(Metric):
    """How closely answers are those of the unpruned network, each output by itself.

    1 where they are the same, about 1/2 where they differ by as much as the unpruned network's
    answers differ from sample to sample, as a constant would. Padding does not count. A sample has
    the same number whatever is in its batch.

    Args:
        spreads: Of each output what the unpruned network's answers vary by over all samples.
        real: Which places of a batch are no padding.
    """

    spreads: tuple[float, ...] = ()
    real: Mask | None = None

    score = Score("agreement", bounds=(0.0, 1.0), about=ABOUT)
    each = True
    against = True

    @property
    def ready(self) -> bool:
        """Whether `knowing` has told what it needs."""
        return bool(self.spreads)

    def knowing(self, real: Mask, answers: Iterable[tuple[Any, Any]]) -> Agreement:
        """The same, told how the unpruned network answers; known once, it stays so."""
        found: list[Variation] = []
        for batch, outputs in answers:
            made, where = tensors(outputs), real(batch)
            found = found or [Variation() for _ in made]
            for one, output in zip(found, made, strict=True):
                one.add(output, where if has_places(where, output) else None)
        return self if self.ready else Agreement(tuple(one.spread for one in found), real)

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
        where, count = None if self.real is None else self.real(batch), size_of(batch)
        outs = zip(made, wanted, self.spreads, strict=True)
        return torch.stack([_alike(one, other, s, where, count) for one, other, s in outs]).mean(0)


def _alike(made: Tensor, wanted: Tensor, spread: float, real: Tensor | None, count: int) -> Tensor:
    """(samples,) how alike two outputs are."""
    whole = not wanted.is_floating_point()
    apart = (made != wanted).double() if whole else (made.double() - wanted.double()).square()
    if real is not None and has_places(real, wanted):
        here = over_places(real, wanted).expand_as(wanted).flatten(1)
        apart = (apart.flatten(1) * here).sum(1) / here.sum(1).clamp_min(1)
    elif apart.dim() and len(apart) == count:
        apart = apart.reshape(count, -1).mean(1)
    else:  # Of the batch as a whole, such as a loss.
        apart = apart.mean().expand(count)
    return 1 - apart if whole else (1 / (1 + apart / max(spread, 1e-24))).nan_to_num(nan=0.0)


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
        **parts: As `Classification` takes them.
    """

    def __init__(
        self,
        inputs: Data | Tensor,
        holdout: Data | Tensor | None = None,
        test: Data | Tensor | None = None,
        *,
        calibration: Data | FromTrain | None = "train",
        **parts: Unpack[Parts],
    ) -> None:
        train = _data(inputs)
        own: Parts = {"distill_func": relative_error, **parts}
        super().__init__(
            data_loader=calibration_of(calibration, train),
            train_loader=train,
            metric=Agreement(),
            score_loader=train if holdout is None else _data(holdout),
            test_loader=None if test is None else _data(test),
            **own,
        )


def _data(inputs: Data | Tensor) -> Data:
    return Samples(inputs) if isinstance(inputs, Tensor) else inputs
