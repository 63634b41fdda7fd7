"""The cheapest network whose score holds.

AMC calls it accuracy-guaranteed compression (He et al., 2018, 3.4) and lets a reward weigh one
against the other. Here a search for all budgets gives a front; its networks are fine-tuned, halving
what is left of the front each time, and judged on held-out samples that the search has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from amc.costs import COSTS
from amc.evaluation import numbers, recalibrate
from amc.history import Outcome
from amc.journal import Named
from amc.parsing import look_up
from amc.problem import Problem
from amc.pruning import plain_copy
from amc.tasks import Indexed, Task, replace_parts
from experiments.latency import LATENCY, profiled
from experiments.runs import (
    Interrupted,
    Proof,
    RunJournal,
    RunResult,
    begin,
    failure_kept,
    is_finished,
    resumable,
    run_journal,
)
from experiments.search.certainty import most_lost
from experiments.search.one_run import chosen_strategy, finish, scores_of, told_again
from experiments.search.problems import first_of, prepare, task_for
from experiments.search.searching import Found, run_strategy
from experiments.search.tuning import Start, check_tuning, tune
from experiments.settings import GoalSettings, SearchSettings
from experiments.terminal import percent, scored
from experiments.zoo import Workload, load_workload

CHANCE = 0.05
"""That the network does not keep to the goal although it was found to, at most."""

POINTS = 15
"""Networks of the front that may be chosen at most; four of them are fine-tuned."""


def smallest(config: SearchSettings, console: Console) -> RunResult:
    """Search all budgets, and leave the run folder of the cheapest network that holds.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    look_up(dict.fromkeys((*COSTS, LATENCY)), config.goal.cost, "--cost")
    asked = config.of_all_budgets
    strategy = chosen_strategy(asked)
    workload = load_workload(config.network, device=config.compute.device)
    samples = unseen(config, workload.task)
    asked = profiled(asked, workload, console)
    config = replace(config, cut=asked.cut)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        check_tuning(config, workload)
        problem, seconds = prepare(asked, workload, console)
        _check_cost(problem, config.goal)
        judge = Judge.of(config.goal, workload, samples)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            made = run_strategy(asked, strategy, problem, journal, console, clocked=False)
            made = replace(made, prepare_seconds=seconds, budgets=config.problem.budget)
            bench = Bench(config, workload, problem, made, journal, console)
            chosen, proof = bench.cheapest(judge)
            unpruned = scores_of(workload.model, problem.graph, workload.task)
            noted = bench.noted(chosen)
            return finish(
                config, workload, bench.found(chosen), unpruned, journal, console, noted, proof
            )


def _check_cost(problem: Problem, goal: GoalSettings) -> None:
    """Refuse a cost that pruning does not change.

    Raises:
        ValueError: if it is one.
    """
    cost, limits = problem.costs[goal.cost], problem.limits
    if cost(limits.smallest) >= cost(problem.graph.full):
        raise ValueError(
            f"{goal.flag}: pruning at granularity {problem.graph.granularity} does not change "
            f"{goal.cost}; name another with --cost, such as params, size or energy"
        )


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


def points(outcomes: Sequence[Outcome], cost: str) -> list[Outcome]:
    """Of the candidates that nothing cheaper beats, the cheapest first, at most `POINTS`.

    Args:
        outcomes: Of a search.
        cost: Short name.
    """
    front: list[Outcome] = []
    for one in sorted(outcomes, key=lambda one: (one.costs[cost], -one.merit)):
        if not front or one.merit > front[-1].merit:
            front.append(one)
    if len(front) <= POINTS:
        return front
    costs = np.array([one.costs[cost] for one in front])
    wanted = np.linspace(costs[0], costs[-1], POINTS)
    return [front[at] for at in sorted({int(abs(costs - here).argmin()) for here in wanted})]


@dataclass(frozen=True)
class Bench:
    """What candidates are fine-tuned with.

    Args:
        config: Of the command.
        workload: Network and task.
        problem: That the search solved.
        made: What it found.
        journal: Of the run.
        console: For progress.
    """

    config: SearchSettings
    workload: Workload
    problem: Problem
    made: Found
    journal: RunJournal
    console: Console

    def cheapest(self, judge: Judge) -> tuple[Outcome, Proof]:
        """The cheapest candidate of the front that holds; the dearest where none does.

        Raises:
            Interrupted: at Ctrl-C, with the search's policy on the disk.
        """
        path = Path(self.config.output.out) / "policy.json"
        self.made.policy.save(path)
        within = self.problem.limits.which_fit(np.array([one.kept for one in self.made.outcomes]))
        fit = [one for one, fits in zip(self.made.outcomes, within, strict=True) if fits]
        front = points(fit, self.config.goal.cost)

        def holds(candidate: Outcome, tried: int) -> Proof:
            proof = judge.proof(self.tuned(candidate), len(front), tried)
            self._tell(candidate, proof)
            return proof

        left = f"the front is found, and its largest network is in {path}"
        with resumable(lambda: Interrupted(left, self.config)):
            return halved(front, holds)

    def found(self, candidate: Outcome) -> Found:
        """A candidate as if the search had chosen it."""
        origin = {**self.made.policy.origin, "goal": self.config.goal.flag}
        origin["budget"] = ",".join(map(str, self.config.problem.budget))
        policy = self.problem.policy(candidate.kept, origin)
        return replace(self.made, policy=policy, network=self.problem.trainable(candidate.kept))

    def noted(self, candidate: Outcome) -> Named:
        """Where its fine-tuning is noted."""
        return Named(self.journal, f"candidate {candidate.number}")

    def tuned(self, candidate: Outcome) -> nn.Module:
        """It after the run's fine-tuning."""
        found, samples = self.found(candidate), self.config.tuning.recalibrate
        if samples:
            recalibrate(found.network, first_of(self.workload.task, samples))
        task = task_for(self.config.cut, self.workload)
        start = Start(found.network, found.policy, found.graph, task)
        return tune(self.config, self.workload, start, self.console, self.noted(candidate)).network

    def _tell(self, candidate: Outcome, proof: Proof) -> None:
        cost = self.config.goal.cost
        left = candidate.costs[cost] / self.problem.costs[cost](self.problem.graph.full)
        word = "holds" if proof.holds else "does not hold surely"
        most = "drops by at most" if self.config.goal.least is None else "is surely worth"
        self.console.print(
            f"with {percent(left)} of {cost}: {scored(proof.pruned)} against "
            f"{scored(proof.unpruned)} unpruned, {most} {scored(proof.bound)}: {word}",
            soft_wrap=True,
        )


def halved(
    front: Sequence[Outcome], holds: Callable[[Outcome, int], Proof]
) -> tuple[Outcome, Proof]:
    """The first that holds, where all behind one that holds are taken to hold; else the last.

    Args:
        front: Candidates, the cheapest first.
        holds: Whether one does; told how many were asked about with this one.
    """
    proofs: dict[int, Proof] = {}

    def asked(at: int) -> bool:
        if at not in proofs:
            proofs[at] = holds(front[at], len(proofs) + 1)
        return proofs[at].holds

    low, high = 0, len(front) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if asked(middle) else (middle + 1, high)
    asked(low)
    return front[low], replace(proofs[low], tried=len(proofs))
