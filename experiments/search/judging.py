"""Whether a network keeps to a goal, by held-out samples that its search has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amc.evaluation import numbers
from amc.pruning import plain_copy
from amc.tasks import Indexed, Task, replace_parts
from experiments.runs import Proof
from experiments.search.certainty import most_lost
from experiments.settings import GoalSettings, SearchSettings
from experiments.terminal import scored
from experiments.zoo import Workload

CHANCE = 0.05
"""That the network does not keep to the goal although it was found to, at most."""

POINTS = 15
"""Networks of the front that may be chosen at most, among which the chance is shared."""


def unseen(config: SearchSettings, task: Task) -> Indexed:
    """The held-out samples behind those of the search.

    Raises:
        ValueError: if there are none, they are trained on, or the score is no mean over samples.
    """
    flag, seen = config.goal.flag, config.problem.search_images
    data, metric = task.score_loader, task.metric
    if metric is None or not metric.each or metric.score.bounds is None:
        raise ValueError(
            f"{flag}: {task.score.name} is not the mean of a bounded number for each sample, so "
            "that nobody can say how sure it is; give a budget, and look at what score comes out"
        )
    if any(data is one for one in (task.train_loader, task.data_loader)):
        raise ValueError(
            f"{flag}: the samples that networks are scored on are trained on or refit from too, "
            "and prove nothing; give others as the task's score_loader or holdout"
        )
    if not isinstance(data, Indexed):
        raise ValueError(
            f"{flag}: the held-out samples are a stream, of which none can be kept from the "
            "search; give amc.Samples"
        )
    if not 0 < seen < len(data):
        raise ValueError(
            f"{flag}: --search-images {seen} takes all of {len(data)} held-out samples, and none "
            "is left to judge by; give fewer, such as half"
        )
    return data.take(slice(seen, None))


@dataclass(frozen=True)
class Judge:
    """Says whether networks keep to a goal, by samples that the search does not see.

    Args:
        goal: What has to hold.
        task: With these samples.
        samples: They.
        unpruned: (samples,) numbers of the unpruned network.
    """

    goal: GoalSettings
    task: Task
    samples: Indexed
    unpruned: Tensor

    @classmethod
    def of(cls, goal: GoalSettings, workload: Workload, samples: Indexed) -> Judge:
        """One for a network, whose numbers are computed.

        Raises:
            ValueError: if no network could keep to the goal as far as so many samples can tell.
        """
        task = replace_parts(workload.task, score_loader=samples)
        judge = cls(goal, task, samples, _numbers(workload.model, task, samples))
        judge._check()
        return judge

    def _check(self) -> None:
        low, high = self._range
        best = self.unpruned
        if self.goal.least is not None:
            best = torch.full_like(self.unpruned, high if self.task.score.sign > 0 else low)
        bound = self._bound(best, CHANCE / POINTS)
        if not self._holds(bound):
            told = "a drop above" if self.goal.least is None else "a score up to"
            raise ValueError(
                f"{self.goal.flag}: {len(self.samples)} held-out samples that the search has not "
                f"seen can prove {told} {scored(bound)} at best; ask for less, or leave more of "
                "them to judge by with a smaller --search-images"
            )

    @property
    def _range(self) -> tuple[float, float]:
        return self.task.score.bounds or (0.0, 1.0)

    def _bound(self, own: Tensor, chance: float) -> float:
        """The most that is lost, or the worst that the score may be."""
        (low, high), sign = self._range, self.task.score.sign
        if self.goal.least is None:
            return most_lost(sign * (self.unpruned - own), high - low, chance)
        middle = (low + high) / 2
        return middle - sign * most_lost(sign * (middle - own), (high - low) / 2, chance)

    def _holds(self, bound: float) -> bool:
        least, sign = self.goal.least, self.task.score.sign
        if least is None:
            return self.goal.max_drop is not None and bound <= self.goal.max_drop
        return sign * bound >= sign * least

    def proof(self, network: nn.Module, networks: int, tried: int) -> Proof:
        """Whether a network keeps to the goal.

        Args:
            network: Fine-tuned; left as it is.
            networks: That might be asked about, each with its share of the chance.
            tried: That were, with this one.
        """
        own = _numbers(network, self.task, self.samples)
        bound = self._bound(own, CHANCE / networks)
        means = float(self.unpruned.mean()), float(own.mean())
        count, holds = len(self.samples), self._holds(bound)
        return Proof(self.goal.flag, *means, bound, CHANCE, count, tried, holds)


def _numbers(network: nn.Module, task: Task, samples: Indexed) -> Tensor:
    return numbers(plain_copy(network).eval(), task, samples).double()
