"""Ratios set by hand, by patterns of layer names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from amc.costs import BudgetError
from amc.graph import PruningGraph
from amc.problem import Problem, SearchResult
from amc.rules.projection import Ratios, project


def match_ratios(graph: PruningGraph, patterns: Mapping[str, float]) -> Ratios:
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
            raise ValueError(_no_match(graph, pattern))
        ratios[hits] = ratio
    return ratios


def _no_match(graph: PruningGraph, pattern: str) -> str:
    layers = ", ".join(group.name for group in graph.groups)
    why = [
        f" ({layer.name} stays whole: {layer.reason})"
        for layer in graph.fixed
        if fnmatchcase(layer.name, pattern)
    ]
    return (
        f"manual ratios: pattern {pattern!r} matches no prunable layer{''.join(why[:1])}; "
        f"layers: {layers}"
    )


@dataclass(frozen=True)
class Manual:
    """Ratios set by hand, as a strategy of one evaluation.

    Args:
        ratios: From shell patterns of layer names to pruning ratios; see `match_ratios`. At 1 all
            that the network goes on without is gone.
        scale: Scale all ratios together onto the budget, in their proportions, up or down; layers
            without a ratio stay whole unless the others cannot reach the budget. Without it the
            ratios must fit as they are.
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
        ratios, limits = match_ratios(problem.graph, self.ratios), problem.limits
        closest = (limits.nearest(group, ratio) for group, ratio in enumerate(ratios.tolist()))
        rounded = tuple(limits.graph.settled(list(closest)).tolist())
        kept = project(limits, ratios, depth=True) if self.scale else rounded
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
