"""Samplers of Optuna, each group a number of its own."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from amc.devices import own_generators
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios
from amc.strategies.sampling import import_extra, run_sampler, start_ratios

STARTUP = 10
"""Candidates that are drawn at random before anything is learned."""


@dataclass(frozen=True)
class _OptunaSearch(ABC):
    """A search whose candidates a sampler of Optuna draws.

    Args:
        episodes: Candidates to draw, the uniform policy first.
        startup: The first so many are drawn at random.
        batch: Candidates that are drawn before anything is told of them.

    Raises:
        ValueError: if a number is out of range.
    """

    name: ClassVar[str]
    episodes: int = 100
    startup: int = STARTUP
    batch: int = 1

    def __post_init__(self) -> None:
        check(self.name, "episodes", self.episodes, self.episodes >= 1, "1 or more")
        check(self.name, "startup", self.startup, self.startup >= 1, "1 or more")
        check(self.name, "batch", self.batch, self.batch >= 1, "1 or more")

    @abstractmethod
    def _sampler(self, samplers: Any, **common: int) -> Any:
        """One of Optuna's, with the settings that all of them take."""

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates.

        Raises:
            ImportError: if Optuna is not installed.
            ValueError: if the problem has no budget.
        """
        optuna = import_extra("optuna", self.name)
        first = start_ratios(self.name, problem, self.episodes)
        with own_generators(), _quiet(optuna):
            made = self._sampler(optuna.samplers, n_startup_trials=self.startup, seed=seed)
            return run_sampler(problem, _Asked(optuna, made, first), self.episodes, self.batch)


class TPE(_OptunaSearch):
    """Tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
    Optimization", NeurIPS 2011), as Optuna has it, each group on its own.
    """

    name = "tpe"

    def _sampler(self, samplers: Any, **common: int) -> Any:
        return samplers.TPESampler(**common)


class GP(_OptunaSearch):
    """Optuna's Gaussian process with the logarithm of the expected improvement.

    Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization",
    NeurIPS 2023. Over ratios as they are drawn, where `gp-rollout` learns over what they lead to.
    """

    name = "gp"

    def _sampler(self, samplers: Any, **common: int) -> Any:
        return samplers.GPSampler(deterministic_objective=True, **common)


class _Asked:
    """A sampler of Optuna's."""

    def __init__(self, optuna: Any, sampler: Any, first: Ratios) -> None:
        self._study = optuna.create_study(sampler=sampler, direction="maximize")
        self._trials: deque[Any] = deque()
        unit = optuna.distributions.FloatDistribution(0.0, 1.0)
        self._space = {f"group {number}": unit for number in range(len(first))}
        self._study.enqueue_trial(dict(zip(self._space, first.tolist(), strict=True)))

    def ask(self) -> Ratios:
        trial = self._study.ask(self._space)
        self._trials.append(trial)
        return np.array([trial.params[name] for name in self._space])

    def tell(self, ratios: Ratios, merit: float) -> None:
        self._study.tell(self._trials.popleft(), merit)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna reports every study and trial otherwise, and packages that would make it faster; its
    level is put back afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
