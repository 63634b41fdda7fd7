"""One policy: its score after each kind of repair, and what fine-tuning makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from amc.devices import device_of
from amc.evaluation import fast_score, recalibrate
from amc.finetuning import OnStep, Recipe, fit, steps_in_all, tune
from amc.graph import Kept
from amc.history import Outcome
from amc.problem import Problem
from amc.pruning import plain_copy
from amc.tasks import Task
from experiments.runs import Tried
from experiments.search import count_of

RECALIBRATION = 2000
"""Training images that batch norms are measured on again, where the run does not say."""

Way = Callable[[Kept], nn.Module]


@dataclass(frozen=True)
class Meter:
    """What all policies of a sample are measured with.

    Args:
        problem: Of the search.
        recipe: How policies are fine-tuned.
        task: On what, and by what fine-tuned networks are measured: on samples that no search sees.
        recalibration: Task with the training samples for batch norms.
        recalibrated: Whether the run itself measures batch norms again after its search.
        teacher: The unpruned network, where the recipe distils.
    """

    problem: Problem
    recipe: Recipe
    task: Task
    recalibration: Task
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
            name: self._score(make(kept), self.problem.task) for name, make in self.ways.items()
        }
        network = self.problem.trainable(kept)
        if self.recalibrated:
            self._recalibrate(network)
        if self.task.tune is not None:
            network = tune(network, self.task, self.recipe, steps=self.steps)
        else:
            fit(
                network,
                self.task,
                self.recipe,
                holdout=self.problem.task if self.recipe.patience else None,
                teacher=self.teacher if self.recipe.distill else None,
                on_step=on_step,
            )
        tuned = self._score(plain_copy(network), self.task, test=self.task.tests)
        return Tried(outcome.number, kept, outcome.score, scores, tuned)

    @property
    def steps(self) -> int:
        """Gradient steps of one policy's fine-tuning."""
        return steps_in_all(self.task, self.recipe)

    def _score(self, network: nn.Module, task: Task, *, test: bool = False) -> float:
        return fast_score(network, self.problem.graph, task, test=test)

    def terms(self) -> Mapping[str, Any]:
        """What results hang on, as plain data."""
        return {
            "recipe": {name: getattr(self.recipe, name) for name in ("epochs", "lr", "seed")},
            "distill": self.recipe.distill,
            "patience": self.recipe.patience,
            "train_samples": count_of(self.task.train_loader) or 0,
            "judged_samples": count_of(self.task.test_loader or self.task.score_loader) or 0,
            "search_samples": count_of(self.problem.task.score_loader) or 0,
            "recalibration_samples": count_of(self.recalibration.data_loader) or 0,
            "recalibrated": self.recalibrated,
            "device": str(device_of(self.problem.model)),
        }
