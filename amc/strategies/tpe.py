"""Tree-structured Parzen estimator, by Optuna."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import Ratios
from amc.strategies.sampling import import_extra, run_sampler, start_ratios


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
        """The best of all candidates.

        Raises:
            ImportError: if Optuna is not installed.
            ValueError: if the problem has no budget.
        """
        optuna = import_extra("optuna", "tpe")
        first = start_ratios("tpe", problem, self.episodes)
        with _quiet(optuna):
            sampler = _Tpe(optuna, first, self.startup, seed)
            return run_sampler(problem, sampler, self.episodes)


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

    def tell(self, ratios: Ratios, merit: float) -> None:
        self._study.tell(self._trial, merit)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna reports every study and trial otherwise; its level is put back afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
