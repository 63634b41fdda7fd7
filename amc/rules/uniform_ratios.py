"""The same ratio everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amc.costs import COSTS, Limits
from amc.granularity import Rounding
from amc.graph import PruningGraph
from amc.policy import Budget, Policy
from amc.problem import Problem, SearchResult
from amc.pruning import policy_of
from amc.rules.budgets import check_budget
from amc.rules.projection import project


def uniform(limits: Limits) -> tuple[int, ...]:
    """The same pruning ratio everywhere, as small as the budget allows; half without a budget."""
    return project(limits, np.full(len(limits.graph.groups), 0.5))


def uniform_policy(
    graph: PruningGraph, budget: Budget | Sequence[Budget], rounding: Rounding | None = None
) -> Policy:
    """The uniform policy for a network under one budget or several.

    Args:
        graph: The network's decisions.
        budget: All must hold.
        rounding: Which kept counts are legal; None takes the granularity's own.

    Raises:
        BudgetError: if the budget cannot be reached.
        ValueError: if there is none.
    """
    budgets = (budget,) if isinstance(budget, Budget) else tuple(budget)
    legal = rounding or graph.granularity.rounding()
    limits = Limits.of(graph, budgets, COSTS, legal)
    check_budget(limits, "uniform")
    origin = {"strategy": "uniform", "budget": ",".join(map(str, budgets))}
    return policy_of(graph, uniform(limits), origin=origin)


@dataclass(frozen=True)
class Uniform:
    """The same ratio everywhere, as a strategy of one evaluation."""

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the uniform policy; nothing is random.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "uniform")
        problem.restart()
        problem.evaluate(uniform(problem.limits))
        return problem.result()
