"""Ratio rules with one free number, bisected to the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs import COSTS, BudgetError, Limits
from amc.granularity import Rounding
from amc.policy import Budget, Policy
from amc.problem import Problem, SearchResult
from amc.pruning import policy_of
from amc.structure import PruningGraph

BISECTIONS = 40
_LEAST_RATIO = 1e-3

Ratios = NDArray[np.float64]


def project(limits: Limits, ratios: ArrayLike) -> tuple[int, ...]:
    """Kept counts that use the budget up, in the proportions of `ratios`.

    All ratios are scaled by one number, bisected; counts are rounded down; then each group, those
    rounded down most first, is given one more legal count where that still fits. Leaves AMC's
    Algorithm 1, which clips each action as the walk goes on and so prunes later layers harder.

    Args:
        limits: The budgets; with none, the ratios are only rounded.
        ratios: (groups,) pruning ratios in [0, 1].
    """
    wanted = np.clip(np.asarray(ratios, np.float64), _LEAST_RATIO, 1.0)
    if not limits.items:
        wanted = np.asarray(ratios, np.float64)
        full = limits.graph.full
        return tuple(map(limits.rounding.nearest, full, wanted.tolist()))
    most = limits.rounding.max_ratio
    return bisect(limits, lambda scale: np.minimum(most, scale * wanted), most / wanted.min())


def bisect(
    limits: Limits, ratios_at: Callable[[float], Ratios], largest: float = 1.0
) -> tuple[int, ...]:
    """The mildest member of a family of ratios that meets the budgets, then filled up to them.

    Args:
        limits: The budgets.
        ratios_at: From one number in [0, largest] to (groups,) ratios, never decreasing in it.
        largest: Where the family is at its smallest network.

    Raises:
        BudgetError: if no member of the family fits.
    """
    full = limits.graph.full
    low, high = 0.0, largest
    if not limits.fits(limits.rounding.below(full, ratios_at(high)).tolist()):
        raise BudgetError(
            "these ratios cannot meet the budget even at their largest scale; "
            "prune more layers, or raise the budget"
        )
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if limits.fits(limits.rounding.below(full, ratios_at(middle)).tolist()):
            high = middle
        else:
            low = middle
    return _filled(limits, ratios_at(high))


def _filled(limits: Limits, ratios: Ratios) -> tuple[int, ...]:
    """Round down, then give each group one more legal count where that fits, neediest first."""
    kept = limits.rounding.below(limits.graph.full, ratios).tolist()
    lost = np.asarray(limits.graph.full) * (1 - ratios) - kept
    for number in np.argsort(-lost, kind="stable").tolist():
        more = [count for count in limits.counts[number] if count > kept[number]]
        tried = [*kept[:number], *more[:1], *kept[number + 1 :]]
        if more and limits.fits(tried):
            kept = tried
    return tuple(kept)


def uniform(limits: Limits) -> tuple[int, ...]:
    """The same pruning ratio everywhere, as small as the budget allows."""
    return project(limits, np.full(len(limits.graph.groups), 0.5))


def uniform_policy(
    graph: PruningGraph, budget: Budget | Sequence[Budget], rounding: Rounding | None = None
) -> Policy:
    """The uniform policy for a network under one budget or several.

    Raises:
        BudgetError: if the budget cannot be reached.
    """
    budgets = (budget,) if isinstance(budget, Budget) else tuple(budget)
    limits = Limits.of(graph, budgets, COSTS, rounding or Rounding())
    origin = {"strategy": "uniform", "budget": " ".join(map(str, budgets))}
    return policy_of(graph, uniform(limits), origin=origin)


def matched_ratios(graph: PruningGraph, patterns: Mapping[str, float]) -> Ratios:
    """(groups,) ratio of the last pattern that matches any of a group's layers; 0 without one.

    Args:
        graph: What is pruned.
        patterns: From shell patterns of layer names (`stages.2.*`) to pruning ratios in [0, 1].

    Raises:
        ValueError: if a ratio is out of range or a pattern matches no layer.
    """
    ratios = np.zeros(len(graph.groups))
    for pattern, ratio in patterns.items():
        if not 0 <= ratio <= 1:
            raise ValueError(f"manual ratios: {pattern!r} is {ratio}; it must lie in [0, 1]")
        hits = [
            number
            for number, group in enumerate(graph.groups)
            if any(fnmatchcase(name, pattern) for name in group.layers)
        ]
        if not hits:
            layers = ", ".join(group.name for group in graph.groups)
            raise ValueError(
                f"manual ratios: pattern {pattern!r} matches no prunable layer; layers: {layers}"
            )
        ratios[hits] = ratio
    return ratios


@dataclass(frozen=True)
class Uniform:
    """The same ratio everywhere, as a strategy of one evaluation."""

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the uniform policy; nothing is random."""
        problem.restart()
        problem.evaluate(uniform(problem.limits))
        return problem.result()


@dataclass(frozen=True)
class Manual:
    """Ratios set by hand, as a strategy of one evaluation.

    Args:
        ratios: From shell patterns of layer names to pruning ratios; see `matched_ratios`.
        scale: Scale all ratios together onto the budget; without it they must fit as they are.
    """

    ratios: Mapping[str, float]
    scale: bool = True

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the policy; nothing is random.

        Raises:
            BudgetError: if the ratios may not be scaled and exceed the budget.
            ValueError: if a ratio is out of range or a pattern matches no layer.
        """
        problem.restart()
        ratios, limits = matched_ratios(problem.graph, self.ratios), problem.limits
        nearest = map(limits.rounding.nearest, limits.graph.full, ratios.tolist())
        kept = project(limits, ratios) if self.scale else tuple(nearest)
        if not limits.fits(kept):
            over = ", ".join(
                f"{item.name}={item.cost(kept) / item.full:.4f}" for item in limits.items
            )
            raise BudgetError(
                f"manual ratios: they leave {over} of the network, above the budget; "
                "raise the ratios, or let them be scaled"
            )
        problem.evaluate(kept)
        return problem.result()
