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
from amc.tasks.padding import Padding
from amc.tasks.samples import Samples
from amc.tasks.score import Score
from amc.tasks.task import FromTrain, Metric, Parts, Task, calibration_of
from amc.tasks.variation import Variation, telling

ABOUT = (
    "1 / (1 + e) of each sample, with e the mean squared difference from the unpruned network's "
    "answer as a part of what its answers vary by from sample to sample; of whole numbers the part "
    "that is the same; averaged over outputs and samples"
)


@dataclass(frozen=True)
class Agreement(Metric):
    """How closely answers are those of the unpruned network, each output by itself.

    1 where they are the same, about 1/2 where they differ by as much as the unpruned network's
    answers differ from sample to sample, as a constant would. Padding does not count, nor does an
    output that is the same for all samples. A sample has the same number whatever is in its batch.

    Args:
        spreads: Of each output what the unpruned network's answers vary by over all samples.
        padding: Of batches and outputs.
    """

    spreads: tuple[float, ...] = ()
    padding: Padding | None = None

    score = Score("agreement", bounds=(0.0, 1.0), about=ABOUT)
    each = True
    against = True

    @property
    def ready(self) -> bool:
        """Whether `knowing` has told what it needs."""
        return bool(self.spreads)

    def knowing(self, padding: Padding, answers: Iterable[tuple[Any, Any]]) -> Agreement:
        """The same, told how the unpruned network answers; known once, it stays so.

        Raises:
            ValueError: if it answers the same to all samples.
        """
        found: list[Variation] = []
        whole = False
        for batch, outputs in answers:
            made = tensors(outputs)
            whole = whole or any(not one.is_floating_point() for one in made)
            found = found or [Variation() for _ in made]
            for number, (one, output) in enumerate(zip(found, made, strict=True)):
                one.add(output, padding.on(number, output, batch))
        if self.ready:
            return self
        spreads = tuple(one.spread for one in found)
        if not any(spreads) and not whole and spreads:
            raise ValueError(
                "unlabelled: the unpruned network answers the same to all samples, so that nothing "
                "can be compared; give more of them, or others"
            )
        return Agreement(spreads, padding)

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
        count = size_of(batch)
        each = [
            self._alike(number, one, other, batch, count)
            for number, (one, other) in enumerate(zip(made, wanted, strict=True))
            if self.spreads[number] or not other.is_floating_point()
        ]
        return torch.stack(each).mean(0)

    def _alike(self, number: int, made: Tensor, wanted: Tensor, batch: Any, count: int) -> Tensor:
        """(samples,) how alike two outputs are."""
        padding = None if self.padding is None else self.padding.on(number, wanted, batch)
        if padding is not None:
            made, wanted = padding.laid(made), padding.laid(wanted)
        counted, apart = telling(wanted), _apart(made, wanted)
        if padding is not None:
            counted, apart = counted & padding.real, torch.where(padding.real, apart, 0.0)
        if apart.dim() and len(apart) == count:
            apart, counted = apart.reshape(count, -1), counted.reshape(count, -1)
        else:  # Of the batch as a whole, such as a loss.
            apart, counted = apart.reshape(1, -1), counted.reshape(1, -1)
        each = (apart.sum(1) / counted.sum(1).clamp_min(1)).expand(count)
        return 1 / (1 + each / self.spreads[number]) if wanted.is_floating_point() else 1 - each


def _apart(made: Tensor, wanted: Tensor) -> Tensor:
    """Squared differences; infinite where one is a number and the other none."""
    if not wanted.is_floating_point():
        return torch.ne(made, wanted).double()
    both = telling(wanted)
    apart = (made.double() - wanted.double()).square().nan_to_num(nan=torch.inf, posinf=torch.inf)
    same = torch.eq(made, wanted) | (made.isnan() & wanted.isnan()) | (~telling(made) & ~both)
    return torch.where(both, apart, torch.where(same, 0.0, torch.inf).double())


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
