"""Covariance matrix adaptation, by the package cmaes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from amc.costs import Limits
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios, uniform
from amc.strategies.sampling import import_extra, run_sampler, start_ratios

NARROWEST = 0.01
"""Least standard deviation of CMA-ES's first draws: the uniform ratio may be the largest one."""


@dataclass(frozen=True)
class CmaEs:
    """Covariance matrix adaptation (Hansen, "The CMA Evolution Strategy: A Tutorial", 2016).

    On the package `cmaes`, which Optuna's sampler of that name wraps: there the start and its width
    can no longer be set without a warning. Begins around the uniform ratio, and anew from there
    with other draws where it has come to rest.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        sigma: Standard deviation of the first draws, in units of the pruning ratio; 0 takes a third
            of what lies between the uniform ratio and 0 or `max_ratio`, whichever is nearer.
        population: Candidates a generation, 4 or more; 0 takes 4 + 3 ln(groups).
        batch: Candidates that are drawn before anything is told of them.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    sigma: float = 0.0
    population: int = 0
    batch: int = 1

    def __post_init__(self) -> None:
        check("cma-es", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("cma-es", "sigma", self.sigma, 0 <= self.sigma < math.inf, "0 or above")
        check("cma-es", "batch", self.batch, self.batch >= 1, "1 or more")
        good = self.population == 0 or self.population >= 4
        check("cma-es", "population", self.population, good, "0 or at least 4")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates.

        Raises:
            ImportError: if `cmaes` is not installed.
            ValueError: if the problem has no budget.
        """
        cmaes = import_extra("cmaes", "cma-es")
        first = start_ratios("cma-es", problem, self.episodes)
        sigma = self.sigma or _width(problem.limits)
        sampler = _CmaEs(cmaes, first, sigma, self.population or None, seed)
        return run_sampler(problem, sampler, self.episodes, self.batch)


def _width(limits: Limits) -> float:
    """Standard deviation of which three lie on either side of the uniform ratio.

    Also around a start that is not uniform: one that takes whole branches out may leave all else as
    it is, and draws of its own width would find nothing but itself.

    Wider draws are cut off at the largest ratio by the projection. At tight budgets, where the
    uniform ratio is close to that, this leaves groups with too few units, and a change beyond it
    has no effect.
    """
    kept, most = uniform(limits), float(limits.most.max())
    ratio = 1 - sum(kept) / sum(limits.graph.full)
    return max(min(ratio, most - ratio) / 3, NARROWEST)


class _CmaEs:
    """Keeps answers until a generation is complete."""

    def __init__(
        self, cmaes: Any, first: Ratios, sigma: float, population: int | None, seed: int
    ) -> None:
        self._first: Ratios | None = first
        self._settings = {
            "mean": first,
            "sigma": sigma,
            "bounds": np.tile([0.0, 1.0], (len(first), 1)),
            "population_size": population,
        }
        self._make, self._seeds = cmaes.CMA, np.random.default_rng(seed)
        self._told: list[tuple[Ratios, float]] = []
        self._cma = self._begin()

    def ask(self) -> Ratios:
        asked: Ratios = self._cma.ask() if self._first is None else self._first
        return asked

    def tell(self, ratios: Ratios, merit: float) -> None:
        if self._first is not None:
            # Not one of the generation's own draws.
            self._first = None
            return
        self._told.append((ratios, -merit))
        if len(self._told) == self._cma.population_size:
            self._cma.tell(self._told)
            self._told = []
            if self._cma.should_stop():
                self._cma = self._begin()

    def _begin(self) -> Any:
        return self._make(**self._settings, seed=int(self._seeds.integers(2**31)))
