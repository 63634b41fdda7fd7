"""Mutating the best policies so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios
from amc.strategies.mutation import around
from amc.strategies.sampling import run_sampler, start_ratios


@dataclass(frozen=True)
class Evolution:
    """A few of the best policies so far have children, which differ from them in some groups.

    The (mu + 1) evolution strategy (Beyer and Schwefel, "Evolution strategies: A comprehensive
    introduction", Natural Computing, 2002): a parent stays until better ones are found.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        parents: The best so many have children, each as often.
        batch: Candidates that are drawn before anything is told of them.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    parents: int = 3
    batch: int = 1

    def __post_init__(self) -> None:
        check("evolution", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("evolution", "parents", self.parents, self.parents >= 1, "1 or more")
        check("evolution", "batch", self.batch, self.batch >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates.

        Raises:
            ValueError: if the problem has no budget.
        """
        first = start_ratios("evolution", problem, self.episodes)
        sampler = _Evolution(first, self.parents, seed)
        return run_sampler(problem, sampler, self.episodes, self.batch)


class _Evolution:
    def __init__(self, first: Ratios, parents: int, seed: int) -> None:
        self._first, self._parents = first, parents
        self._random = np.random.default_rng(seed)
        self._alive: list[tuple[float, Ratios]] = []

    def ask(self) -> Ratios:
        if not self._alive:
            return self._first
        parent = self._alive[self._random.integers(len(self._alive))][1]
        child: Ratios = around(parent, self._random, 1)[0]
        return child

    def tell(self, ratios: Ratios, merit: float) -> None:
        # A child as good as its parent takes its place, so that plateaus are wandered.
        alive = sorted([(merit, ratios), *self._alive], key=lambda one: -one[0])
        self._alive = alive[: self._parents]
