"""One ranking of all units of the network, cut at one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amc.costs import Limits
from amc.problem import Problem, SearchResult
from amc.rules.budgets import check_budget
from amc.rules.projection import Ratios, bisect


def global_counts(
    limits: Limits, ranking: Sequence[Tensor], scaled: bool = True
) -> tuple[int, ...]:
    """Kept counts where the units of the lowest scores go, whatever their group.

    One threshold, bisected to the budget, parts those that stay from those that go; counts are then
    rounded to legal ones, so no group loses more than `max_ratio`. Left-over budget brings back the
    units of the highest scores.

    Args:
        limits: The budgets.
        ranking: For each group (units,) scores, higher ones stay longer.
        scaled: Divide each group's scores by the mean of their absolute values first, as those of
            different layers have different scales; otherwise they are compared as they are.
    """
    scores = [_ascending(group, scaled) for group in ranking]
    levels = np.sort(np.concatenate(scores))
    full = limits.graph.full

    def ratios_at(part: float) -> Ratios:
        gone = round(part * len(levels))
        if not gone:
            return np.zeros(len(scores))
        threshold = levels[gone - 1]
        below = [np.searchsorted(group, threshold, side="right") for group in scores]
        return np.array(below, np.float64) / np.array(full, np.float64)

    def best_gone(kept: Sequence[int]) -> Ratios:
        gone = [len(group) - count for group, count in zip(scores, kept, strict=True)]
        return np.array([group[n - 1] if n else 0.0 for group, n in zip(scores, gone, strict=True)])

    return bisect(limits, ratios_at, need=best_gone)


def _ascending(scores: Tensor, scaled: bool) -> NDArray[np.float64]:
    """(units,) scores of one group, in units of their own mean if `scaled`."""
    values = scores.detach().double().cpu().numpy()
    mean = np.abs(values).mean()
    ordered: NDArray[np.float64] = np.sort(values / mean if scaled and mean > 0 else values)
    return ordered


@dataclass(frozen=True)
class GlobalRanking:
    """One ranking over all layers, as a strategy of one evaluation; see `global_counts`.

    Args:
        scaled: Make the scores of different groups comparable first.
    """

    scaled: bool = True

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the policy; nothing is random.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "global")
        problem.restart()
        problem.evaluate(global_counts(problem.limits, problem.ranking, self.scaled))
        return problem.result()
