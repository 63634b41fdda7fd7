"""One search problem: what every strategy asks, and is judged by, in the same way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from amc.costs import COSTS, Cost, Costs, Limit, Limits
from amc.earlier import Earlier
from amc.evaluation import Measured, score, try_unpruned, with_answers
from amc.evaluator import Evaluator
from amc.granularity import CHANNELS, Granularity, Rounding
from amc.graph import Kept, KeptUnits, PruningGraph
from amc.history import DeviceCost, Evaluation, History, Outcome
from amc.journal import BLANK, Journal
from amc.modules import Inputs, unwrapped
from amc.policy import Budget, Policy
from amc.pruning import Pruner, decisions, policy_of
from amc.refit import POSITIONS, Moments
from amc.tasks import Data, Task, placed
from amc.workers import Workers

Measure = Callable[[Kept], float]
OnBest = Callable[[Outcome, Outcome | None], None]
"""Called with a new outcome and the best one so far within the budgets."""


@dataclass(frozen=True)
class SearchResult:
    """What a strategy found.

    Args:
        best: The outcome chosen.
        outcomes: All evaluations, in order.
        seconds: The search took, without preparing the problem.
        tuned_steps: Gradient steps that the network of `weights` has had.
        weights: State of the network that the search itself tuned, as `Problem.held` names it; None
            where the network is the unpruned one, cut and refit.
        criterion: What ranked the units that went, where it is not the problem's; None where it is.
    """

    best: Outcome
    outcomes: tuple[Outcome, ...]
    seconds: float
    tuned_steps: int = 0
    weights: Mapping[str, Tensor] | None = field(default=None, repr=False)
    criterion: str | None = None


class Strategy(Protocol):
    """A way to choose kept counts.

    One whose result has weights of its own says so with an attribute `tunes_weights`, so that what
    would begin again with the unpruned network can be refused before the search.
    """

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Look for the best candidate within the problem's budgets.

        Same problem, seed and machine give the same result.
        """
        ...


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Problem:
    """A network, its budgets, and the one way in which candidates are pruned and measured.

    It never changes; what a search finds on its way is in its `history`.

    Args:
        model: The trained network; put into evaluation mode, and otherwise never changed.
        example_inputs: As `amc.trace` takes them.
        budgets: All must hold.
        task: What candidates are scored by, and the data of the refit, of criteria and of
            fine-tuning. It is told what the network takes and answers.
        criterion: Short name of the criterion that ranks units.
        rounding: Which kept counts are legal; None takes the granularity's own.
        granularity: What a unit is: "channel", "kernel", "vector", "element", "2:4", "n:4", ...
        exclude: Shell patterns of layers (such as "stem.*") to leave whole.
        positions: Random positions per calibration sample and layer.
        seed: Of those positions, of criteria that draw at random, and of races.
        costs: What can be budgeted, and is told of every outcome.
        graph: The network's `decisions` at this granularity, where they are known already; None
            traces the network.
        racing: Highest probability that a candidate within the budgets is stopped early although
            it is better than the best one so far; 0 stops none.
        measure: By the short name of a cost, what measures it on a device: from kept counts to the
            cost of the really smaller network, in the cost's unit.

    Attributes:
        earlier: What earlier searches leave to this one (`with_earlier`).
        workers: Who measures batches of candidates (`with_workers`); None where nobody helps.
        pruner: Makes networks at kept counts.
        evaluator: Measures candidates.
        history: Of the search that goes on.

    Raises:
        BudgetError: if a budget is below the smallest reachable network; names that.
        GraphError: if the network cannot be traced or has nothing to prune. What cannot be cut
            safely is left alone, and named with the reason in `graph.fixed`.
        ValueError: if the task cannot be read, does not suit the network, or scores it otherwise
            each time; in one sentence.
    """

    example_inputs: Inputs
    criterion: str
    task: Task
    limits: Limits
    costs: Mapping[str, Cost]
    earlier: Earlier
    workers: Workers | None
    measure: Mapping[str, Measure]
    pruner: Pruner
    evaluator: Evaluator
    history: History
    _tightened_to: str
    _unpruned: float | None

    def __init__(
        self,
        model: nn.Module,
        example_inputs: Inputs,
        budgets: Sequence[Budget],
        task: Task,
        *,
        criterion: str = "l1",
        rounding: Rounding | None = None,
        granularity: str | Granularity = CHANNELS,
        exclude: Sequence[str] = (),
        positions: int = POSITIONS,
        seed: int = 0,
        costs: Costs = COSTS,
        graph: PruningGraph | None = None,
        racing: float = 0.0,
        measure: Mapping[str, Measure] | None = None,
    ) -> None:
        model = unwrapped(model).eval()
        example_inputs = placed(example_inputs, model)
        known = graph or decisions(model, example_inputs, granularity, exclude)
        legal = rounding or known.granularity.rounding()
        limits = Limits.of(known, budgets, costs, legal)
        if not isinstance(task, Task):
            raise ValueError(
                f"task: a {type(task).__name__} is no task; give amc.Task, or a ready-made one "
                "such as amc.Unlabelled(inputs)"
            )
        whole = with_answers(task.for_problem(model, example_inputs))
        unpruned = try_unpruned(model, whole)
        pruner = Pruner.of(
            model, known, criterion, calibration=whole, positions=positions, seed=seed
        )
        self._set(
            example_inputs=example_inputs,
            criterion=criterion,
            task=whole,
            limits=limits,
            costs={name: make(known) for name, make in costs.items()},
            earlier=Earlier(),
            workers=None,
            measure=dict(measure or {}),
            pruner=pruner,
            evaluator=Evaluator(pruner, whole, racing, seed),
            history=History(),
            _tightened_to="",
            _unpruned=unpruned,
        )

    def _set(self, **parts: object) -> Problem:
        for name, part in parts.items():
            object.__setattr__(self, name, part)
        return self

    @property
    def model(self) -> nn.Module:
        """The unpruned network."""
        return self.pruner.model

    @property
    def graph(self) -> PruningGraph:
        """Its decisions."""
        return self.pruner.graph

    @property
    def calibration(self) -> Data | None:
        """What layers that lose inputs are refit from; None leaves the refit out."""
        return self.task.data_loader

    @property
    def racing(self) -> float:
        """Highest probability that a candidate is stopped early by mistake; 0 stops none."""
        return self.evaluator.racing

    @property
    def journal(self) -> Journal:
        """Of the search, where finished evaluations and measurements are noted."""
        return self.history.journal

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All evaluations so far, in order."""
        return self.history.outcomes

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return self.history.seconds

    def with_history(self, journal: Journal = BLANK, on_outcome: OnBest | None = None) -> Problem:
        """The same problem with a history of its own, of which nothing has happened yet.

        Args:
            journal: Where finished evaluations and measurements are noted and looked up.
            on_outcome: Called with each new outcome and the best so far within the budgets.
        """
        other = self._copy()
        tell = None if on_outcome is None else lambda outcome: on_outcome(outcome, other.best())
        other.evaluator.restart()
        return other._set(history=History(journal, tell))

    def with_workers(self, workers: Workers | None) -> Problem:
        """The same problem, whose batches of candidates are measured by these; None by none.

        Raises:
            ValueError: if candidates race, who need to know the best so far.
        """
        if workers is not None and self.racing:
            raise ValueError(
                "problem: racing stops candidates by the best one so far, which workers that are "
                "at work side by side do not know; leave one of the two out"
            )
        return self._copy()._set(workers=workers)

    def with_earlier(self, earlier: Earlier) -> Problem:
        """The same problem for a search that begins with what earlier ones found, and learns of it.

        Raises:
            ValueError: if that is of another network.
        """
        earlier.check(self.graph)
        return self._copy()._set(earlier=earlier)

    def _copy(self) -> Problem:
        return copy(self)._set(evaluator=self.evaluator.fork())

    def units(self, kept: Sequence[int]) -> KeptUnits:
        """Which units stay at these kept counts, by the criterion."""
        return self.pruner.units(kept)

    @property
    def ranking(self) -> list[Tensor]:
        """(units,) score of each group's units by the criterion; see `amc.pruning`."""
        return self.pruner.ranking

    def network(self, kept: Sequence[int]) -> nn.Module:
        """The network at these kept counts.

        At granularities with channels really smaller, and refit where there is calibration, at
        others of full size; masks are plain zeros.
        """
        return self.pruner.network(kept)

    def bare(self, kept: Sequence[int]) -> nn.Module:
        """The network as the cut alone leaves it: no refit, no batch norm measured again."""
        return replace(self.pruner, moments=None, calibration=None).network(kept)

    def trainable(self, kept: Sequence[int]) -> nn.Module:
        """That of `network`, its zeros held by masks: what may be trained further."""
        return self.pruner.trainable(kept)

    def network_of(self, result: SearchResult) -> nn.Module:
        """That of `held` at a result's counts, with the weights that the search tuned, if any."""
        network = self.trainable(result.best.kept)
        if result.weights is not None:
            network.load_state_dict(result.weights)
        return network

    def candidate(self, kept: Sequence[int]) -> nn.Module:
        """What is measured of these kept counts: the same, faster (`amc.pruning.Candidates`)."""
        return self.evaluator.candidate(tuple(kept))

    @property
    def moments(self) -> Moments | None:
        """What layers that lose inputs are refit from; None without calibration."""
        return self.pruner.moments

    def evaluate(self, kept: Sequence[int]) -> Outcome:
        """Cost and score at these kept counts; asked again, it answers from memory.

        Where a branch is gone, so are all groups in it.
        """
        key = self._key(kept)
        known = self.history.recall(key)
        if known is not None:
            return known
        return self.history.remember(self._evaluate(key, self._tightened_to, self._measure))

    def _key(self, kept: Sequence[int]) -> Kept:
        """Kept counts as they are executed: where a branch is gone, so are all groups in it."""
        key = tuple(int(count) for count in kept)
        if len(key) == len(self.graph.groups):
            key = tuple(self.graph.settled(key).tolist())
        return key

    def evaluate_all(self, candidates: Sequence[Sequence[int]]) -> list[Outcome]:
        """The same of several, side by side where there are workers; in the order given.

        What comes of it hangs on what is asked for, and never on how many workers there are or
        which of them is first.
        """
        keys = [self._key(kept) for kept in candidates]
        if self.workers is None:
            return [self.evaluate(key) for key in keys]
        new = [key for key in dict.fromkeys(keys) if self._is_new(key)]
        scores: dict[Kept, Measured] = {}
        for at, found in self.workers(self.evaluator, new) if new else ():
            scores[new[at]] = found
            noted = Evaluation(**asdict(found), seconds=self.seconds)
            self.journal.note(self._tightened_to + ",".join(map(str, new[at])), noted)
        return [self._answer(key, scores) for key in keys]

    def _answer(self, key: Kept, scores: Mapping[Kept, Measured]) -> Outcome:
        """From memory, from what was measured just now, or else from the journal."""
        if key in scores and self.history.recall(key) is None:
            return self.history.remember(self.record(key, **asdict(scores[key])))
        return self.evaluate(key)

    def _is_new(self, key: Kept) -> bool:
        """Whether neither memory nor journal answers for it."""
        if self.history.recall(key) is not None:
            return False
        name = self._tightened_to + ",".join(map(str, key))
        return self.journal.recall(Evaluation, name) is None

    def whole(self, kept: Kept) -> Outcome:
        """The same on all samples, of a candidate that is remembered as one that lost a race."""
        return self._evaluate(kept, "whole ", self.evaluator.whole)

    def _evaluate(self, kept: Kept, name: str, measure: Callable[[Kept], Measured]) -> Outcome:
        key = name + ",".join(map(str, kept))
        noted = self.journal.recall(Evaluation, key)
        if noted is None:
            found = measure(kept)
            outcome = self.record(kept, **asdict(found))
            self.journal.note(key, Evaluation(**asdict(found), seconds=outcome.seconds))
            return outcome
        outcome = self.record(kept, **asdict(noted))
        if self._races(kept) and outcome.seen is None:
            self.evaluator.tell(kept, outcome.score)
        return outcome

    def _races(self, kept: Kept) -> bool:
        # Without a budget, or outside of it, a lower merit does not mean worse.
        return bool(self.racing and self.limits.items and self.limits.fits(kept))

    def _measure(self, kept: Kept) -> Measured:
        return self.evaluator.race(kept) if self._races(kept) else self.evaluator.whole(kept)

    def record(
        self,
        kept: Sequence[int],
        score: float,
        seen: int | None = None,
        seconds: float | None = None,
    ) -> Outcome:
        """Count an evaluation that a strategy made of a network of its own; see `History.add`."""
        key = tuple(int(count) for count in kept)
        costs = {name: cost(key) for name, cost in self.costs.items()}
        outcome = self.history.add(key, score, self.merit(score), costs, seen, seconds)
        if len(self.outcomes) == TOLD:
            self._warn_of_equals()
        return outcome

    def _warn_of_equals(self) -> None:
        """Say it where a search has nothing to go by."""
        first, *others = {one.kept: one.score for one in self.outcomes}.values()
        if others and all(other == first for other in others):
            logging.getLogger(__name__).warning(
                "the first %d candidates all have %s %g, so that the search has nothing to go by; "
                "see that the score reads what the network answers",
                TOLD,
                self.task.score.name,
                first,
            )

    @property
    def worst_score(self) -> float:
        """What stands for a network that has no score."""
        return self.task.score.worst(self._unpruned)

    def merit(self, score: float) -> float:
        """A score on the scale that searches go by: in [0, 1], higher is better."""
        return self.task.score.merit(score, self._unpruned)

    def limits_at(self, kept: Kept) -> Limits:
        """The limits on what is predicted, moved by as much as a network is measured otherwise.

        Tightened where it costs more than predicted, loosened where less, so that the network fits
        them where it meets the budgets on the device.
        """
        return replace(self.limits, items=tuple(self._moved(i, kept) for i in self.limits.items))

    def _moved(self, item: Limit, kept: Kept) -> Limit:
        if item.name not in self.measure:
            return item
        more = self._on_device(item.name, kept) / item.cost(kept)
        return replace(item, most=item.most / more)

    def _on_device(self, cost: str, kept: Kept) -> float:
        """Measured once, because another time it would differ: decisions hang on it."""
        key = f"{cost} {','.join(map(str, kept))}"
        noted = self.journal.recall(DeviceCost, key)
        if noted is None:
            noted = DeviceCost(float(self.measure[cost](kept)))
            self.journal.note(key, noted)
        return noted.cost

    def within(self, limits: Limits) -> Problem:
        """The same problem under other limits: it remembers the evaluations, and adds none here."""
        other = self._copy()._set(limits=limits, history=self.history.fork())
        if self.racing:
            # Whom a candidate raced against under the former limits may break these.
            tight = "".join(f"{item.name}<={item.most!r} " for item in limits.items)
            other._set(_tightened_to=tight)
        return other

    def best(self) -> Outcome | None:
        """The best outcome within the budgets; of equal ones the first.

        Never one that was stopped early.
        """
        # The best first, so that few need to be held against the budgets.
        in_turn = sorted(self._whole(), key=lambda outcome: -outcome.merit)
        return next((one for one in in_turn if self.limits.fits(one.kept)), None)

    def within_budgets(self) -> list[Outcome]:
        """The outcomes within the budgets, in order, those that were stopped early among them."""
        found = self.history.outcomes
        if not found:
            return []
        fits = self.limits.which_fit(np.array([outcome.kept for outcome in found]))
        return [outcome for outcome, own in zip(found, fits, strict=True) if own]

    def finalists(self) -> list[Outcome]:
        """The outcomes within the budgets that have seen all held-out samples, in order."""
        return [outcome for outcome in self._whole() if self.limits.fits(outcome.kept)]

    def _whole(self) -> Iterator[Outcome]:
        """Those that have seen all held-out samples."""
        return (outcome for outcome in self.history.outcomes if outcome.seen is None)

    def restart(self) -> None:
        """Forget all outcomes and start the clock: the first act of every search.

        Strategies that share a problem then neither profit from nor pay for each other's work.
        """
        self.history.restart()
        self.evaluator.restart()

    def result(
        self,
        best: Outcome | None = None,
        *,
        tuned_steps: int = 0,
        weights: Mapping[str, Tensor] | None = None,
        criterion: str | None = None,
    ) -> SearchResult:
        """The search so far as a result; `best` is the best outcome if left out.

        One that was stopped early is measured on all samples first.

        Raises:
            ValueError: if nothing within the budgets was evaluated.
        """
        chosen = best or self.best()
        if chosen is None:
            raise ValueError(
                "the search evaluated nothing within the budget; give it more episodes"
            )
        if chosen.seen is not None:
            whole = self.evaluator.whole(chosen.kept)
            chosen = self.history.remember(self.record(chosen.kept, whole.score))
        return SearchResult(chosen, self.outcomes, self.seconds, tuned_steps, weights, criterion)

    def unpruned_score(self) -> float:
        """The task's score of the network as it came."""
        return score(self.model, self.task) if self._unpruned is None else self._unpruned

    def policy(
        self,
        kept: Sequence[int],
        origin: Mapping[str, str] | None = None,
        criterion: str | None = None,
    ) -> Policy:
        """Kept counts as a policy for this network; by the problem's criterion if left out."""
        chosen = criterion or self.criterion
        return policy_of(self.graph, kept, criterion=chosen, origin=origin)


TOLD = 10
"""Candidates after which it is told that all have one score."""
