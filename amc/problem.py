"""One search problem: what every strategy asks, and is judged by, in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol
from zlib import crc32

from torch import Tensor, nn

from amc.costs import COSTS, Cost, Costs, Limit, Limits
from amc.evaluation import Measured, Race, accuracy, fast_hits, fast_margins
from amc.granularity import Granularity, Rounding
from amc.graph import Kept, KeptUnits, PruningGraph
from amc.journal import BLANK, Journal
from amc.modules import Inputs
from amc.parsing import check
from amc.policy import Budget, Policy
from amc.pruning import Candidates, Pruner, decisions, policy_of
from amc.refit import POSITIONS, Moments
from amc.tasks import Samples

Measure = Callable[[Kept], float]


@dataclass(frozen=True)
class Outcome:
    """One evaluated candidate.

    Args:
        number: Of the evaluation, from 0.
        kept: Units that stay, per group.
        accuracy: On the held-out samples, in [0, 1].
        costs: Each cost by its short name, in its unit.
        seconds: Since the search began.
        seen: Held-out samples after which it was stopped as hopeless, so that its accuracy is an
            estimate (`amc.evaluation.racing`); None where it has seen all.
    """

    number: int
    kept: Kept
    accuracy: float
    costs: Mapping[str, float]
    seconds: float
    seen: int | None = None


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
        """Look for the most accurate candidate within the problem's budgets.

        Same problem, seed and machine give the same result.
        """
        ...


class Problem:
    """A network, its budgets, and the one way in which candidates are pruned and measured.

    Args:
        model: The trained network; put into evaluation mode, and otherwise never changed.
        example_inputs: One tensor (batch, ...) or a tuple of the forward's arguments.
        budgets: All must hold.
        holdout: Samples that accuracy is measured on: from the training split but never trained
            on, and not the test set.
        calibration: Training samples for the refit of layers that lose channels, and for criteria
            that need them; None leaves the refit out.
        train: Training samples for strategies that fine-tune.
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
            it is more accurate than the best one so far; 0 stops none.
        measure: By the short name of a cost, what measures it on a device: from kept counts to the
            cost of the really smaller network, in the cost's unit.

    Attributes:
        on_outcome: Called, where it is set, with each new outcome and the best so far
            within the budgets.
        journal: Of the search, where finished evaluations and measurements are noted and looked
            up; one that keeps nothing unless it is set.

    Raises:
        BudgetError: if a budget is below the smallest reachable network; names that.
        GraphError: if the network cannot be traced or has nothing to prune. What cannot be cut
            safely is left alone, and named with the reason in `graph.fixed`.
    """

    def __init__(
        self,
        model: nn.Module,
        example_inputs: Inputs,
        budgets: Sequence[Budget],
        *,
        holdout: Samples,
        calibration: Samples | None = None,
        train: Samples | None = None,
        criterion: str = "l1",
        rounding: Rounding | None = None,
        granularity: str = "channel",
        exclude: Sequence[str] = (),
        positions: int = POSITIONS,
        seed: int = 0,
        costs: Costs = COSTS,
        graph: PruningGraph | None = None,
        racing: float = 0.0,
        measure: Mapping[str, Measure] | None = None,
    ) -> None:
        check("problem", "racing", racing, 0 <= racing < 0.5, "0 or more, and below 0.5")
        self.racing = racing
        self.model = model.eval()
        self.example_inputs = example_inputs
        self.holdout = holdout
        self.train = train
        self.calibration = calibration
        self.criterion = criterion
        self.graph: PruningGraph = graph or decisions(model, example_inputs, granularity, exclude)
        legal = rounding or Granularity.parse(granularity).rounding()
        self.limits = Limits.of(self.graph, budgets, costs, legal)
        self.measure = dict(measure or {})
        self.costs: dict[str, Cost] = {name: make(self.graph) for name, make in costs.items()}
        self._pruner = Pruner.of(
            model, self.graph, criterion, calibration=calibration, positions=positions, seed=seed
        )
        self._candidates = Candidates.of(self._pruner)
        self._race = Race(holdout, racing)
        self._seed = seed
        self._known: dict[Kept, Outcome] = {}
        self._outcomes: list[Outcome] = []
        self.on_outcome: Callable[[Outcome, Outcome | None], None] | None = None
        self.journal: Journal = BLANK
        self._told: list[Outcome] = []
        self._tightened_to = ""
        self._start = time.perf_counter()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All evaluations so far, in order."""
        return tuple(self._outcomes)

    def units(self, kept: Sequence[int]) -> KeptUnits:
        """Which units stay at these kept counts, by the criterion."""
        return self._pruner.units(kept)

    @property
    def ranking(self) -> list[Tensor]:
        """(units,) score of each group's units by the criterion; see `amc.pruning`."""
        return self._pruner.ranking

    def network(self, kept: Sequence[int]) -> nn.Module:
        """The network at these kept counts.

        At granularity "channel" really smaller, and refit where there is calibration; at others of
        full size with plain zeros.
        """
        return self._pruner.network(kept)

    def bare(self, kept: Sequence[int]) -> nn.Module:
        """The network as the cut alone leaves it: no refit, no batch norm measured again."""
        return replace(self._pruner, moments=None, calibration=None).network(kept)

    def held(self, kept: Sequence[int]) -> nn.Module:
        """That of `network`, its zeros held by masks: what may be trained further."""
        return self._pruner.held(kept)

    def candidate(self, kept: Sequence[int]) -> nn.Module:
        """What is measured of these kept counts: the same, faster (`amc.pruning.Candidates`)."""
        return self._candidates.network(kept)

    @property
    def moments(self) -> Moments | None:
        """What layers that lose inputs are refit from; None without calibration."""
        return self._pruner.moments

    def evaluate(self, kept: Sequence[int]) -> Outcome:
        """Cost and held-out accuracy at these kept counts; asked again, it answers from memory."""
        key = tuple(int(count) for count in kept)
        if key not in self._known:
            name = f"evaluation {self._tightened_to}" + ",".join(map(str, key))
            noted = self.journal.recall(name)
            found = noted or asdict(self._measured(key))
            outcome = self._known[key] = self.record(key, **found)
            if noted is None:
                self.journal.note(name, {**found, "seconds": outcome.seconds})
            elif self._races(key) and outcome.seen is None:
                self._told.append(outcome)
        return self._known[key]

    def _races(self, kept: Kept) -> bool:
        # Without a budget, or outside of it, less accurate does not mean worse.
        return bool(self.racing and self.limits.items and self.limits.fits(kept))

    def _measured(self, kept: Kept, *, whole: bool = False) -> Measured:
        network = self.candidate(kept)

        if self._races(kept) and not whole:
            self._race_anew()
            return self._raced(kept, network)
        right = fast_hits(network, self.graph, self.holdout)
        return Measured(int(right.sum()) / len(self.holdout))

    def _raced(self, kept: Kept, network: nn.Module, *, whole: bool = False) -> Measured:
        def margins(samples: Samples) -> Tensor:
            return fast_margins(network, self.graph, samples)

        draw = crc32(f"{self._seed} {kept}".encode())
        return self._race.run(margins, draw, whole=whole)

    def _race_anew(self) -> None:
        """Let those that led, by what a journal told, run once more.

        All of them, because each met the samples in an order that the one before had set, and on
        that hangs how sums are rounded.
        """
        told, self._told = self._told, []
        for outcome in told:
            if outcome.accuracy > self._race.leading:
                self._raced(outcome.kept, self.candidate(outcome.kept), whole=True)

    def record(
        self,
        kept: Sequence[int],
        accuracy: float,
        seen: int | None = None,
        seconds: float | None = None,
    ) -> Outcome:
        """Count an evaluation that a strategy made of a network of its own.

        Args:
            kept: Units that stay, per group.
            accuracy: On held-out samples, in [0, 1].
            seen: See `Outcome`.
            seconds: Since the search began, of one that a journal tells of: the clock goes on from
                there. None reads the clock.
        """
        if seconds is not None:
            self._start = time.perf_counter() - seconds
        outcome = Outcome(
            number=len(self._outcomes),
            kept=tuple(int(count) for count in kept),
            accuracy=accuracy,
            costs={name: cost(kept) for name, cost in self.costs.items()},
            seconds=self.seconds if seconds is None else seconds,
            seen=seen,
        )
        self._outcomes.append(outcome)
        if self.on_outcome is not None:
            self.on_outcome(outcome, self.best())
        return outcome

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return time.perf_counter() - self._start

    def measured(self, kept: Kept) -> Limits:
        """The limits, tightened by as much as a network is measured to cost more than predicted.

        The network fits them where it meets the budgets on the device as well. Nothing is ever
        loosened: predictions have to meet the budgets too.
        """
        return replace(
            self.limits, items=tuple(self._tightened(i, kept) for i in self.limits.items)
        )

    def _tightened(self, item: Limit, kept: Kept) -> Limit:
        if item.name not in self.measure:
            return item
        more = self._on_device(item.name, kept) / item.cost(kept)
        return replace(item, most=item.most / max(1.0, more))

    def _on_device(self, cost: str, kept: Kept) -> float:
        """Measured once, because another time it would differ: decisions hang on it."""
        name = f"measured {cost} {','.join(map(str, kept))}"
        noted = self.journal.recall(name)
        if noted is None:
            noted = {"cost": self.measure[cost](kept)}
            self.journal.note(name, noted)
        return float(noted["cost"])

    def within(self, limits: Limits) -> Problem:
        """The same problem, its evaluations included, under other limits."""
        other = copy(self)
        other.limits = limits
        if self.racing:
            # Whom a candidate raced against under the former limits may break these.
            other._tightened_to = "".join(f"{i.name}<={i.most!r} " for i in limits.items)
        return other

    def best(self) -> Outcome | None:
        """The most accurate outcome within the budgets; of equal ones the first.

        Never one that was stopped early.
        """
        # The most accurate first, so that few need to be held against the budgets.
        in_turn = sorted(self._whole(), key=lambda outcome: -outcome.accuracy)
        return next((one for one in in_turn if self.limits.fits(one.kept)), None)

    def finalists(self) -> list[Outcome]:
        """The outcomes within the budgets that have seen all held-out samples, in order."""
        return [outcome for outcome in self._whole() if self.limits.fits(outcome.kept)]

    def _whole(self) -> Iterator[Outcome]:
        """Those that have seen all held-out samples."""
        return (outcome for outcome in self._outcomes if outcome.seen is None)

    def restart(self) -> None:
        """Forget all outcomes and start the clock: the first act of every search.

        Strategies that share a problem then neither profit from nor pay for each other's work.
        """
        self._known.clear()
        self._outcomes.clear()
        self._race.restart()
        self._told = []
        self._start = time.perf_counter()

    def result(
        self,
        best: Outcome | None = None,
        *,
        tuned_steps: int = 0,
        weights: Mapping[str, Tensor] | None = None,
        criterion: str | None = None,
    ) -> SearchResult:
        """The search so far as a result; `best` is the most accurate outcome if left out.

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
            whole = self._measured(chosen.kept, whole=True)
            chosen = self._known[chosen.kept] = self.record(chosen.kept, whole.accuracy)
        return SearchResult(chosen, self.outcomes, self.seconds, tuned_steps, weights, criterion)

    def unpruned_accuracy(self) -> float:
        """Held-out accuracy of the network as it came."""
        return accuracy(self.model, self.holdout)

    def policy(
        self,
        kept: Sequence[int],
        origin: Mapping[str, str] | None = None,
        criterion: str | None = None,
    ) -> Policy:
        """Kept counts as a policy for this network; by the problem's criterion if left out."""
        chosen = criterion or self.criterion
        return policy_of(self.graph, kept, criterion=chosen, origin=origin)
