"""Ratios drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios
from amc.strategies.sampling import run_sampler, start_ratios


@dataclass(frozen=True)
class RandomSearch:
    """Ratios drawn uniformly: what every search has to beat at equal evaluations.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        batch: Candidates that are drawn before anything is told of them.

    Raises:
        ValueError: if there are none.
    """

    episodes: int = 100
    batch: int = 1

    def __post_init__(self) -> None:
        check("random", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("random", "batch", self.batch, self.batch >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates.

        Raises:
            ValueError: if the problem has no budget.
        """
        first = start_ratios("random", problem, self.episodes)
        return run_sampler(problem, _Random(first, seed), self.episodes, self.batch)


class _Random:
    def __init__(self, first: Ratios, seed: int) -> None:
        self._first: Ratios | None = first
        self._groups = len(first)
        self._random = np.random.default_rng(seed)

    def ask(self) -> Ratios:
        if self._first is None:
            return self._random.uniform(size=self._groups)
        first, self._first = self._first, None
        return first

    def tell(self, ratios: Ratios, merit: float) -> None:
        """Nothing is learned."""
