"""A knapsack under losses that are measured one at a time, with weights that are searched."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amc.costs import Limits
from amc.graph import Kept
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import check_budget, fill_up, uniform
from amc.strategies.knapsack.choices import Choices
from amc.strategies.knapsack.losses import scan
from amc.strategies.knapsack.solver import Solver
from amc.strategies.knapsack.terms import terms_of

Numbers = NDArray[np.float64]

SHARES = (0.1, 0.3, 1.0)
"""Parts of the weights that a step changes; one of them is drawn for each."""

TIGHTER = 5
"""Times that a budget is drawn tighter where a solution breaks it: some costs are no such sums."""

SLACK = 1.001
"""A little more than what a solution breaks a budget by."""

AGAIN = 3
"""Times as many solutions as episodes: many weights lead to what was evaluated before."""

FEWEST = 5
"""Episodes with which nothing but uniform ratios is evaluated."""


@dataclass(frozen=True)
class Knapsack:
    """What each count loses is measured alone; an exact solver chooses; weights are searched.

    First the unpruned network with one choice pruned at a time, as the sensitivity scan does. Then
    the counts that lose least in sum within the budgets, by mixed-integer programming. A sum of
    losses is no truth, so each choice's loss has a weight, and those are searched by mutating the
    best (Frantar and Alistarh, "SPDY: Accurate Pruning with Speedup Guarantees", ICML 2022, which
    searches such coefficients; their costs are sums of layers', while here a layer's cost hangs on
    two groups).

    Args:
        episodes: Candidates to evaluate at most.
        scanned: Part of them that the scan takes at most.
        sigma: Width of the normal noise on the logarithm of a weight.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    scanned: float = 0.33
    sigma: float = 0.7

    def __post_init__(self) -> None:
        check("knapsack", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("knapsack", "scanned", self.scanned, 0 < self.scanned < 1, "above 0 and below 1")
        check("knapsack", "sigma", self.sigma, 0 < self.sigma < math.inf, "above 0")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates within the budgets.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "knapsack")
        problem.restart()
        problem.evaluate(uniform(problem.limits))
        if self.episodes > FEWEST:
            self._choose(problem, np.random.default_rng(seed))
        return problem.result()

    def _choose(self, problem: Problem, random: np.random.Generator) -> None:
        """Scan, then solve under ever other weights, those around the best ones so far."""
        choices = Choices(problem.limits)
        solver = Solver(
            choices, tuple(terms_of(item.cost, choices) for item in problem.limits.items)
        )
        some = min(round(self.scanned * self.episodes), self.episodes - len(problem.outcomes))
        losses = scan(problem, choices, some)
        best, highest = np.ones(len(choices.options)), -math.inf
        weights, turns = best, 0
        while len(problem.outcomes) < self.episodes and turns < AGAIN * self.episodes:
            kept = _solution(solver, losses.weighted(weights), problem.limits)
            if kept is not None and (merit := problem.evaluate(kept).merit) > highest:
                best, highest = weights, merit
            weights, turns = self._changed(best, random), turns + 1

    def _changed(self, weights: Numbers, random: np.random.Generator) -> Numbers:
        """The same, some of them more or less."""
        some = random.random(len(weights)) < random.choice(SHARES)
        noise: Numbers = np.exp(self.sigma * random.normal(size=len(weights)) * some)
        return weights * noise


def _solution(solver: Solver, losses: list[Numbers], limits: Limits) -> Kept | None:
    """What loses least within the budgets, and then as much more as fits; None where nothing is."""
    most = [item.most for item in limits.items]
    for _ in range(TIGHTER):
        taken = solver.solve(losses, most)
        if taken is None:
            return None
        kept = solver.choices.policy(taken)
        if limits.fits(kept):
            return fill_up(limits, kept)
        over = [max(1.0, item.cost(kept) / item.most) for item in limits.items]
        most = [
            bound / (more * SLACK if more > 1 else 1)
            for bound, more in zip(most, over, strict=True)
        ]
    return None
