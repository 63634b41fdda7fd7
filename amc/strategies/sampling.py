"""What searches have in common that draw a ratio for every group.

Each draws ratios in [0, 1], projects them onto the budget, and begins with the uniform policy, or
with one that takes whole branches out (`amc.rules.starting_policy`). An episode is one draw, or one
evaluation on the way to the start; a candidate that was evaluated before is answered from memory,
so there may be fewer evaluations than episodes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

import numpy as np

from amc.graph import Kept
from amc.problem import Problem, SearchResult
from amc.rules import Ratios, check_budget, episodes_left, project, starting_policy


class Sampler(Protocol):
    """Asked for ratios, of one candidate or several, and told in that order what they led to."""

    def ask(self) -> Ratios:
        """(groups,) pruning ratios in [0, 1]."""
        ...

    def tell(self, ratios: Ratios, merit: float) -> None:
        """Merit in [0, 1] of the first ratios asked for that nothing was told of, projected."""
        ...


def start_ratios(strategy: str, problem: Problem, episodes: int) -> Ratios:
    """Restart the problem; (groups,) ratios that lead to the policy that a search begins with.

    1 for what is gone, elsewhere the mean ratio; of what an earlier search found its own ratios.
    """
    check_budget(problem.limits, strategy)
    problem.restart()
    start = starting_policy(problem, episodes)
    if problem.earlier:
        return problem.graph.ratios(start)
    kept = np.array(start)
    there, full = kept > 0, np.array(problem.graph.full)
    return np.where(there, 1 - kept[there].sum() / full[there].sum(), 1.0)


def run_sampler(problem: Problem, sampler: Sampler, episodes: int, batch: int = 1) -> SearchResult:
    """Evaluate what a sampler asks for, so many at once; the best candidate wins."""
    ratios, kept = _asked(problem, sampler)
    left = episodes_left(problem, episodes, kept) - 1
    sampler.tell(ratios, problem.evaluate(kept).merit)
    while left > 0:
        asked = [_asked(problem, sampler) for _ in range(min(batch, left))]
        found = problem.evaluate_all([kept for _, kept in asked])
        for (ratios, _), outcome in zip(asked, found, strict=True):
            sampler.tell(ratios, outcome.merit)
        left -= len(asked)
    return problem.result()


def _asked(problem: Problem, sampler: Sampler) -> tuple[Ratios, Kept]:
    """What a sampler asks for, and where that leads."""
    ratios = sampler.ask()
    return ratios, project(problem.limits, ratios, depth=True)


def import_extra(package: str, strategy: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(
            f"strategy {strategy} needs {package}, which is not here; pip install optuna cmaes"
        ) from None
