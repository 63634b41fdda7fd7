"""A Gaussian process over whole policies that knows what their refits miss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amc.graph import Kept
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import check_budget, starting_policy, uniform
from amc.strategies.missed import Missed
from amc.strategies.proposals import IDLE, Proposals
from amc.strategies.surrogate import Surrogate

FIRST_DESCENT = 15
"""Rounds of the descent that the search begins with."""


@dataclass(frozen=True)
class ResidualGP:
    """The default: policies near the best are proposed, and the most promising one is evaluated.

    What each kept count leaves unexplained of the layers that read it is known from the refit's
    moments before anything is evaluated (`Missed`). It is an input of the surrogate beside the kept
    counts, and the search begins where it is smallest. A surrogate of the reward over whole
    policies takes the place of AMC's critic, and proposals near the best the place of its actor.

    Args:
        episodes: Candidates to evaluate at most.
        parents: The best so many have policies proposed around them.
        proposals: Policies proposed around them for each batch that is evaluated.
        batch: Candidates that are chosen together, each as if those before it had what the process
            expects of them (the "kriging believer" of Ginsbourger et al., "Kriging Is Well-Suited
            to Parallelize Optimization", 2010).

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    parents: int = 3
    proposals: int = 64
    batch: int = 1

    def __post_init__(self) -> None:
        check("residual-gp", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("residual-gp", "parents", self.parents, self.parents >= 1, "1 or more")
        check("residual-gp", "proposals", self.proposals, self.proposals >= 1, "1 or more")
        check("residual-gp", "batch", self.batch, self.batch >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates within the budgets.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "residual-gp")
        problem.restart()
        missed = Missed(problem)
        proposals = Proposals(missed, np.random.default_rng(seed))
        self._begin(problem, missed, proposals)
        surrogate = Surrogate.of(problem, missed)
        idle = 0
        while len(problem.outcomes) < self.episodes and idle < IDLE:
            some = min(self.batch, self.episodes - len(problem.outcomes))
            chosen = self._most_promising(problem, surrogate, proposals, some)
            idle = 0 if chosen else idle + 1
            problem.evaluate_all(chosen)
        return problem.result()

    def _begin(self, problem: Problem, missed: Missed, proposals: Proposals) -> None:
        """Evaluate where other searches begin, and where refits miss least."""
        start = starting_policy(problem, self.episodes)
        problem.evaluate(start)
        if not missed.known or len(problem.outcomes) >= self.episodes:
            return
        either = [start, uniform(problem.limits)]
        from_here = either[int(np.argmax(missed.foretold(either)))]
        even = np.ones(len(problem.graph.full))
        problem.evaluate(proposals.descent(problem.limits, from_here, even, FIRST_DESCENT))

    def _most_promising(
        self, problem: Problem, surrogate: Surrogate, proposals: Proposals, count: int
    ) -> list[Kept]:
        """Of what is proposed around the best, those that promise to improve most on it."""
        outcomes, limits = problem.outcomes, problem.limits
        best = sorted(problem.finalists(), key=lambda one: -one.merit)[: self.parents]
        known = {one.kept for one in outcomes}
        parents = [one.kept for one in best] or [uniform(limits)]
        asked = proposals.near(limits, parents, self.proposals)
        asked += proposals.descended(limits, parents)
        new = [kept for kept in dict.fromkeys(asked) if kept not in known]
        if len(known) < 2:
            return new[:count]
        surrogate.learn(outcomes)
        return surrogate.most_promising(new, count, best[0].worth if best else None)
