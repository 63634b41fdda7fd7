"""What can be known of a policy before it is fine-tuned whole, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from amc.evaluation import recalibrate, score
from amc.finetuning import Recipe, fit
from amc.graph import Kept
from amc.problem import Problem
from amc.tasks import relative_error
from experiments.search import first_of
from experiments.studies.accuracies import held_out
from experiments.zoo import Workload

STEPS = (20, 60, 200)
"""Of short fine-tunings, each with a schedule of its own that ends at a rate of 0."""

DISTILLED = 0.9
"""Weight of the teacher where a short fine-tuning has one."""

RECALIBRATION = 2000
"""Training pictures that batch norms are measured again on."""

TAUGHT = 60
"""Steps of the short fine-tuning that is tried with a teacher as well."""

BATCH = 250

Answers = tuple[Tensor, Tensor]
"""(pictures, classes) and (pictures,) labels."""


@dataclass(frozen=True)
class Bench:
    """What all policies of a cell are looked at with.

    Args:
        problem: Of the search.
        workload: The network with its task; the held-out pictures are all of them.
        recipe: Of the fine-tuning that is to be foretold.
    """

    problem: Problem
    workload: Workload
    recipe: Recipe

    def signals(self, kept: Kept) -> dict[str, dict[str, float]]:
        """By name, each as a number of which more is better, with its seconds."""
        return dict(self._signals(kept))

    def _signals(self, kept: Kept) -> Iterator[tuple[str, dict[str, float]]]:
        cut = self.problem.network
        yield from self._looked_at("cut", lambda: cut(kept), self.problem)
        yield from self._looked_at("recalibrated", lambda: self._recalibrated(cut(kept)))
        for steps in STEPS:
            yield from self._looked_at(f"tuned {steps}", partial(self.tuned, kept, steps))
        taught = replace(self.recipe, distill=DISTILLED)
        yield from self._looked_at(f"taught {TAUGHT}", lambda: self.tuned(kept, TAUGHT, taught))

    def _looked_at(
        self,
        name: str,
        made: Callable[[], nn.Module],
        problem: Problem | None = None,
    ) -> Iterator[tuple[str, dict[str, float]]]:
        start = time.perf_counter()
        outputs, labels = answers(made(), problem or self.workload)
        seconds = time.perf_counter() - start
        hit = (outputs.argmax(1) == labels).double().mean()
        loss = functional.cross_entropy(outputs, labels)
        yield f"{name}: score", {"value": float(hit), "seconds": seconds}
        yield f"{name}: loss", {"value": -float(loss), "seconds": seconds}
        if problem is not None:
            wanted, _ = answers(self.problem.model, problem)
            error = relative_error(outputs, wanted, 1.0)
            yield f"{name}: answers", {"value": -float(error), "seconds": seconds}

    def _recalibrated(self, network: nn.Module) -> nn.Module:
        return recalibrate(network, first_of(self.workload.task, RECALIBRATION))

    def tuned(
        self, kept: Kept, steps: int | None = None, recipe: Recipe | None = None
    ) -> nn.Module:
        """Cut, refit and fine-tuned; for as long as the recipe says where no steps are given."""
        asked = recipe or self.recipe
        teacher = self.problem.model if asked.distill else None
        network = self.problem.trainable(kept)
        return fit(network, self.workload.task, asked, steps=steps, teacher=teacher)

    def final(self, kept: Kept, seed: int) -> dict[str, float]:
        """Of the whole fine-tuning: scores on held-out and test pictures, and its seconds."""
        start = time.perf_counter()
        network = self.tuned(kept, recipe=replace(self.recipe, seed=seed))
        seconds = time.perf_counter() - start
        task = self.workload.task
        return {
            "held_out": score(network, task),
            "test": score(network, task, test=True),
            "seconds": seconds,
        }


def answers(network: nn.Module, asked: Problem | Workload) -> Answers:
    """Of a network to the held-out pictures."""
    data: Any = held_out(asked) if isinstance(asked, Problem) else asked.splits.holdout
    pairs = [data.batch(slice(at, at + BATCH)) for at in range(0, len(data), BATCH)]
    network.eval()
    with torch.inference_mode():
        outputs = [network(images).float() for images, _ in pairs]
    return torch.cat(outputs), torch.cat([labels for _, labels in pairs])
