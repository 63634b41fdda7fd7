"""One policy: its score after each kind of repair, and what fine-tuning makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from amc.devices import device_of
from amc.evaluation import fast_accuracy, recalibrate
from amc.finetuning import OnStep, Recipe, fit
from amc.graph import Kept
from amc.history import Outcome
from amc.problem import Problem
from amc.pruning import plain_copy
from amc.tasks import Samples
from experiments.runs import Tried

RECALIBRATION = 2000
"""Training images that batch norms are measured on again, where the run does not say."""

Way = Callable[[Kept], nn.Module]


@dataclass(frozen=True)
class Meter:
    """What all policies of a sample are measured with.

    Args:
        problem: Of the search.
        recipe: How policies are fine-tuned.
        train: On what.
        judged: Images that fine-tuned networks are measured on; no search sees them.
        recalibration: Training images for batch norms.
        recalibrated: Whether the run itself measures batch norms again after its search.
        teacher: The unpruned network, where the recipe distils.
    """

    problem: Problem
    recipe: Recipe
    train: Samples
    judged: Samples
    recalibration: Samples
    recalibrated: bool = False
    teacher: nn.Module | None = None

    @property
    def ways(self) -> dict[str, Way]:
        """Networks of a policy before fine-tuning, with more and more repairs."""
        made = self._repair()
        last = f"{list(made)[-1]} + recalibration"
        return {**made, last: lambda kept: self._recalibrate(self.problem.network(kept))}

    @property
    def own(self) -> str:
        """The way that the search itself went by."""
        return list(self._repair())[-1]

    def _repair(self) -> dict[str, Way]:
        """Without and, where there is calibration, with the search's own repairs."""
        if self.problem.calibration is None:
            return {"no refit": self.problem.bare}
        return {"no refit": self.problem.bare, "refit": self.problem.network}

    def _recalibrate(self, network: nn.Module) -> nn.Module:
        return recalibrate(network, self.recalibration)

    def try_policy(self, outcome: Outcome, on_step: OnStep | None = None) -> Tried:
        """Score and fine-tune one policy.

        Fine-tuning begins, as in a run, with the network that the search's own repairs leave.

        Raises:
            FloatingPointError: if the loss stops being finite.
        """
        kept = outcome.kept
        scores = {
            name: self._accuracy(make(kept), self.problem.holdout)
            for name, make in self.ways.items()
        }
        network = self.problem.trainable(kept)
        if self.recalibrated:
            self._recalibrate(network)
        holdout = self.problem.holdout if self.recipe.patience else None
        fit(
            network,
            self.train,
            self.recipe,
            holdout=holdout,
            teacher=self.teacher if self.recipe.distill else None,
            on_step=on_step,
        )
        tuned = self._accuracy(plain_copy(network), self.judged)
        return Tried(outcome.number, kept, outcome.accuracy, scores, tuned)

    def _accuracy(self, network: nn.Module, samples: Samples) -> float:
        return fast_accuracy(network, self.problem.graph, samples)

    def terms(self) -> Mapping[str, Any]:
        """What results hang on, as plain data."""
        return {
            "recipe": {name: getattr(self.recipe, name) for name in ("epochs", "lr", "seed")},
            "distill": self.recipe.distill,
            "patience": self.recipe.patience,
            "train_images": len(self.train),
            "judged_images": len(self.judged),
            "search_images": len(self.problem.holdout),
            "recalibration_images": len(self.recalibration),
            "recalibrated": self.recalibrated,
            "device": str(device_of(self.problem.model)),
        }
