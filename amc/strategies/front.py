"""The trade-off of a cost: one search for every budget, whose knowledge is shared.

What kept counts are worth does not hang on the budget that they were tried for, so that one
surrogate learns from all of them. At each budget the candidates that promise most are proposed
around what is best there and at the budgets beside it, scaled onto this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amc.costs import Limits
from amc.graph import Kept
from amc.history import Outcome
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import check_budget, earlier_policies, least_important, uniform, without
from amc.strategies.missed import Missed
from amc.strategies.proposals import IDLE, Proposals
from amc.strategies.surrogate import Surrogate

LEVELS = 4
"""Numbers of branches that are taken out at each budget, evenly between none and all."""

SHARE = 10
"""One evaluation in so many may go into what single branches matter."""

STARTS = 3
"""One evaluation in so many may go into networks without the least important of them."""

SPLIT = 4
"""Part of its proposals that each budget has where all of them are asked."""


@dataclass(frozen=True)
class Front:
    """Policies for many budgets of one cost.

    The budget of the problem, the first where there are several, is the largest; the others hold
    everywhere. What was found stands in the result's outcomes: at any budget the best of those
    within it (`best_within`).

    Args:
        episodes: Candidates to evaluate at most.
        lowest: The smallest budget, as part of the unpruned network's cost; where that is out of
            reach, the smallest in reach.
        points: Budgets, evenly from the smallest to the largest.
        proposals: Candidates proposed at each budget for each batch that is taken.
        batch: Candidates that are chosen together: at one budget each as if those before it had
            what is expected of them, at all budgets the most promising of so many.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 600
    lowest: float = 0.2
    points: int = 10
    proposals: int = 64
    batch: int = 1

    def __post_init__(self) -> None:
        check("front", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("front", "lowest", self.lowest, 0 < self.lowest < 1, "above 0 and below 1")
        check("front", "points", self.points, 2 <= self.points <= 1000, "2 to 1000")
        check("front", "proposals", self.proposals, self.proposals >= 1, "1 or more")
        check("front", "batch", self.batch, self.batch >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate candidates for all budgets; the best within the largest is the result's.

        Raises:
            ValueError: if the problem has no budget, or stops candidates early, which it would do
                by the best one at another budget.
        """
        check_budget(problem.limits, "front")
        if problem.racing:
            raise ValueError(
                "front: racing stops candidates that are worse than the best so far, which here is "
                "one with another budget; leave racing out"
            )
        problem.restart()
        levels = self.levels(problem.limits)
        for most, kept in self._starts(problem, levels):
            if len(problem.outcomes) < most:
                problem.evaluate(kept)
        missed = Missed(problem)
        proposals = Proposals(missed, np.random.default_rng(seed))
        self._explore(problem, levels, missed, proposals)
        return problem.result()

    def levels(self, limits: Limits) -> tuple[Limits, ...]:
        """The budgets, the smallest first."""
        first, *others = limits.items
        least = max(self.lowest * first.full, first.cost(limits.smallest))
        mosts = np.linspace(min(least, first.most), first.most, self.points)
        return tuple(
            replace(limits, items=(replace(first, most=float(most)), *others)) for most in mosts
        )

    def _starts(self, problem: Problem, levels: Sequence[Limits]) -> Iterator[tuple[int, Kept]]:
        """Uniform ratios at every budget, and then without the least important branches.

        Each with the number of evaluations before which it is to be tried.
        """
        yield from ((self.episodes, uniform(limits)) for limits in reversed(levels))
        if problem.earlier:  # Which tells what branches matter.
            for limits in reversed(levels):
                yield from ((self.episodes, kept) for kept in earlier_policies(problem, limits, 1))
            return
        some = min(self.episodes // SHARE, self.episodes - len(problem.outcomes) - 1)
        order = least_important(problem, max(0, some))
        most = max(len(problem.outcomes), self.episodes // STARTS)
        counts = sorted({round(len(order) * part / LEVELS) for part in range(1, LEVELS + 1)})
        for limits in reversed(levels):
            for count in filter(None, counts):
                kept = without(limits, order[:count])
                if kept is not None:
                    yield most, kept

    def _explore(
        self, problem: Problem, levels: Sequence[Limits], missed: Missed, proposals: Proposals
    ) -> None:
        surrogate = Surrogate.of(problem, missed, levels)
        idle, turn = 0, 0
        while len(problem.outcomes) < self.episodes and idle < IDLE:
            outcomes = problem.outcomes
            if len({one.kept for one in outcomes}) < 2:
                return
            surrogate.learn(outcomes)
            # Every other one goes to the budgets in turn, so that none is forgotten.
            all_of_them = range(len(levels))
            some = all_of_them if turn % 2 else [turn // 2 % len(levels)]
            count = min(self.batch, self.episodes - len(outcomes))
            chosen = self._most_promising(outcomes, surrogate, levels, some, proposals, count)
            problem.evaluate_all(chosen)
            idle, turn = (0 if chosen else idle + 1), turn + 1

    def _most_promising(
        self,
        outcomes: Sequence[Outcome],
        surrogate: Surrogate,
        levels: Sequence[Limits],
        some: Sequence[int],
        proposals: Proposals,
        count: int,
    ) -> list[Kept]:
        """Of proposals at some budgets, those that promise to improve most on the best there."""
        known = {one.kept for one in outcomes}
        bests = [best_within(outcomes, limits) for limits in levels]
        found: list[tuple[float, Kept]] = []
        for at in some:
            parents = [one.kept for one in bests[max(0, at - 1) : at + 2] if one is not None]
            if not parents:
                continue
            each = max(1, self.proposals // min(len(some), SPLIT))
            asked, own = proposals.near(levels[at], parents, each), bests[at]
            if len(some) == 1 and own is not None:
                asked += proposals.descended(levels[at], [own.kept])
            new = [one for one in dict.fromkeys(asked) if one not in known]
            if not new:
                continue
            least = None if own is None else own.worth
            if len(some) == 1:
                return surrogate.most_promising(new, count, least)
            promise = surrogate.expected_improvement(new, least)
            top = int(np.argmax(promise))
            found.append((float(promise[top]), new[top]))
        ranked = sorted(found, key=lambda one: -one[0])
        return list(dict.fromkeys(kept for _, kept in ranked))[:count]


def best_within(outcomes: Sequence[Outcome], limits: Limits) -> Outcome | None:
    """The best that meets the budgets, of those that have seen all samples; None where none does.

    Args:
        outcomes: Of a search.
        limits: The budgets.
    """
    fit = [
        one
        for one in outcomes
        if one.seen is None and all(one.costs[item.name] <= item.most for item in limits.items)
    ]
    return max(fit, key=lambda one: one.merit, default=None)
