"""One ranking of all units of the network, cut at one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amc.costs import Limits
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules.budgets import check_budget
from amc.rules.projection import Ratios, bisect


def global_counts(
    limits: Limits, ranking: Sequence[Tensor], scaled: bool = True, channels: float = 0.0
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
        channels: Where channels and weights share the budgets, the ratio of all channels: the
            ranking is that of the weights.
    """
    apart = len(limits.graph.channels.groups) if limits.graph.finer else 0
    scores = [_ascending(group, scaled) for group in ranking[apart:]]
    levels = np.sort(np.concatenate(scores))
    fixed, full = np.full(apart, channels), limits.graph.full[apart:]

    def ratios_at(part: float) -> Ratios:
        gone = round(part * len(levels))
        if not gone:
            return np.append(fixed, np.zeros(len(scores)))
        threshold = levels[gone - 1]
        below = [np.searchsorted(group, threshold, side="right") for group in scores]
        return np.append(fixed, np.array(below, np.float64) / np.array(full, np.float64))

    def best_gone(kept: Sequence[int]) -> Ratios:
        gone = [len(group) - count for group, count in zip(scores, kept[apart:], strict=True)]
        last = [group[n - 1] if n else 0.0 for group, n in zip(scores, gone, strict=True)]
        return np.append(np.full(apart, -np.inf), last)

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
        channels: Where channels and weights share the budgets, the ratio of all channels, in
            [0, 1); the ranking is that of the weights.

    Raises:
        ValueError: if a number is out of range.
    """

    scaled: bool = True
    channels: float = 0.0

    def __post_init__(self) -> None:
        check("global", "channels", self.channels, 0 <= self.channels < 1, "from 0 to below 1")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the policy; nothing is random.

        Raises:
            ValueError: if the problem has no budget, or a ratio of channels is given where they do
                not share it with weights.
        """
        check_budget(problem.limits, "global")
        if self.channels and not problem.graph.finer:
            raise ValueError(
                f"global: channels is {self.channels}, and granularity "
                f"{problem.graph.granularity} does not have both channels and weights; leave it "
                "out, or search at one such as channel+element"
            )
        problem.restart()
        kept = global_counts(problem.limits, problem.ranking, self.scaled, self.channels)
        problem.evaluate(kept)
        return problem.result()
