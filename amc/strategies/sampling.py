"""What searches have in common that draw a ratio for every group.

Each draws ratios in [0, 1], projects them onto the budget, and begins with the uniform policy. An
episode is one draw; a candidate that was evaluated before is answered from memory, so there may be
fewer evaluations than episodes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

import numpy as np

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


def start_ratios(strategy: str, problem: Problem) -> Ratios:
    """Restart the problem; (groups,) the mean ratio of its uniform policy, which leads to that."""
    check_budget(problem.limits, strategy)
    problem.restart()
    kept, full = uniform(problem.limits), problem.graph.full
    return np.full(len(full), 1 - sum(kept) / sum(full))


def run_sampler(problem: Problem, sampler: Sampler, episodes: int) -> SearchResult:
    """Evaluate what a sampler asks for; the most accurate candidate wins."""
    for _ in range(episodes):
        ratios = sampler.ask()
        outcome = problem.evaluate(project(problem.limits, ratios))
        sampler.tell(ratios, outcome.accuracy)
    return problem.result()


def import_extra(package: str, strategy: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(
            f"strategy {strategy} needs {package}, which is not here; pip install optuna cmaes"
        ) from None
