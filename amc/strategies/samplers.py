"""Searches that draw a ratio for every group: at random, by Optuna's TPE, by CMA-ES.

Each draws ratios in [0, 1], projects them onto the budget, and begins with the uniform policy. An
episode is one draw; a candidate that was evaluated before is answered from memory, so there may be
fewer evaluations than episodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios, check_budget, project, uniform


class Sampler(Protocol):
    """Asked for ratios, told the accuracy that they led to."""

    def ask(self) -> Ratios:
        """(groups,) pruning ratios in [0, 1]."""
        ...

    def tell(self, ratios: Ratios, accuracy: float) -> None:
        """Accuracy in [0, 1] of the ratios asked for last, once they were projected."""
        ...


@dataclass(frozen=True)
class RandomSearch:
    """Ratios drawn uniformly: what every search has to beat at equal evaluations.

    Args:
        episodes: Candidates to draw, the uniform policy first.

    Raises:
        ValueError: if there are none.
    """

    episodes: int = 100

    def __post_init__(self) -> None:
        check("random", "episodes", self.episodes, self.episodes >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The most accurate of all candidates.

        Raises:
            ValueError: if the problem has no budget.
        """
        first = _start("random", problem)
        return _sampled(problem, _Random(first, seed), self.episodes)


@dataclass(frozen=True)
class TPE:
    """Tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
    Optimization", NeurIPS 2011), as Optuna has it, each group on its own.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        startup: The first so many are drawn at random.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    startup: int = 10

    def __post_init__(self) -> None:
        check("tpe", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("tpe", "startup", self.startup, self.startup >= 1, "1 or more")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The most accurate of all candidates.

        Raises:
            ImportError: if Optuna is not installed.
            ValueError: if the problem has no budget.
        """
        optuna = _imported("optuna", "tpe")
        first = _start("tpe", problem)
        with _quiet(optuna):
            sampler = _Tpe(optuna, first, self.startup, seed)
            return _sampled(problem, sampler, self.episodes)


@dataclass(frozen=True)
class CmaEs:
    """Covariance matrix adaptation (Hansen, "The CMA Evolution Strategy: A Tutorial", 2016).

    On the package `cmaes`, which Optuna's sampler of that name wraps: there the start and its width
    can no longer be set without a warning. Begins around the uniform ratio, and anew from there
    with other draws where it has come to rest.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        sigma: Width of the first draws, in units of the pruning ratio.
        population: Candidates a generation, 4 or more; 0 takes 4 + 3 ln(groups).

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 100
    sigma: float = 0.2
    population: int = 0

    def __post_init__(self) -> None:
        check("cma-es", "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check("cma-es", "sigma", self.sigma, 0 < self.sigma < math.inf, "above 0")
        good = self.population == 0 or self.population >= 4
        check("cma-es", "population", self.population, good, "0 or at least 4")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The most accurate of all candidates.

        Raises:
            ImportError: if `cmaes` is not installed.
            ValueError: if the problem has no budget.
        """
        cmaes = _imported("cmaes", "cma-es")
        first = _start("cma-es", problem)
        sampler = _CmaEs(cmaes, first, self.sigma, self.population or None, seed)
        return _sampled(problem, sampler, self.episodes)


def _imported(package: str, strategy: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(
            f"strategy {strategy} needs {package}, which is not here; pip install optuna cmaes"
        ) from None


def _start(strategy: str, problem: Problem) -> Ratios:
    """Restart the problem; (groups,) the mean ratio of its uniform policy, which leads to that."""
    check_budget(problem.limits, strategy)
    problem.restart()
    kept, full = uniform(problem.limits), problem.graph.full
    return np.full(len(full), 1 - sum(kept) / sum(full))


def _sampled(problem: Problem, sampler: Sampler, episodes: int) -> SearchResult:
    """Evaluate what a sampler asks for; the most accurate candidate wins."""
    for _ in range(episodes):
        ratios = sampler.ask()
        outcome = problem.evaluate(project(problem.limits, ratios))
        sampler.tell(ratios, outcome.accuracy)
    return problem.result()


class _Random:
    def __init__(self, first: Ratios, seed: int) -> None:
        self._next = first
        self._random = np.random.default_rng(seed)

    def ask(self) -> Ratios:
        return self._next

    def tell(self, ratios: Ratios, accuracy: float) -> None:
        self._next = self._random.uniform(size=len(ratios))


class _Tpe:
    def __init__(self, optuna: Any, first: Ratios, startup: int, seed: int) -> None:
        sampler = optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed)
        self._study = optuna.create_study(sampler=sampler, direction="maximize")
        unit = optuna.distributions.FloatDistribution(0.0, 1.0)
        self._space = {f"group {number}": unit for number in range(len(first))}
        self._study.enqueue_trial(dict(zip(self._space, first.tolist(), strict=True)))

    def ask(self) -> Ratios:
        self._trial = self._study.ask(self._space)
        return np.array([self._trial.params[name] for name in self._space])

    def tell(self, ratios: Ratios, accuracy: float) -> None:
        self._study.tell(self._trial, accuracy)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna reports every study and trial otherwise; its level is put back afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


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
        self._cma = self._begun()

    def ask(self) -> Ratios:
        asked: Ratios = self._cma.ask() if self._first is None else self._first
        return asked

    def tell(self, ratios: Ratios, accuracy: float) -> None:
        if self._first is not None:
            # Not one of the generation's own draws.
            self._first = None
            return
        self._told.append((ratios, -accuracy))
        if len(self._told) == self._cma.population_size:
            self._cma.tell(self._told)
            self._told = []
            if self._cma.should_stop():
                self._cma = self._begun()

    def _begun(self) -> Any:
        return self._make(**self._settings, seed=int(self._seeds.integers(2**31)))
