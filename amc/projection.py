"""Pruning ratios onto the budget: families with one free number, bisected, then filled up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs import BudgetError, Limits

BISECTIONS = 30
ROUNDS = 8
"""In which left-over budget is handed out, one legal count more for each group in each."""

LEAST = 1e-3
"""A ratio above 0 counts as this part of the largest one at least."""

Ratios = NDArray[np.float64]
Need = Callable[[Sequence[int]], Ratios]
"""From kept counts to (groups,) how much each group deserves one more; the highest comes first."""


def project(limits: Limits, ratios: ArrayLike) -> tuple[int, ...]:
    """Kept counts that use the budget up, in the proportions of `ratios`.

    All ratios are scaled by one number, bisected; counts are rounded down; what is left over is
    handed out again (see `bisect`). A group of ratio 0 stays whole while pruning the others to
    `max_ratio` can reach the budget; where it cannot, all of ratio 0 are pruned alike beside them.
    Leaves AMC's Algorithm 1, which clips each action as the walk goes on and so prunes later layers
    harder.

    Args:
        limits: The budgets; with none, the ratios are only rounded.
        ratios: (groups,) pruning ratios in [0, 1]; all 0 stands for all alike.
    """
    most = limits.rounding.max_ratio
    asked = np.clip(np.asarray(ratios, np.float64), 0.0, 1.0)
    if not limits.items:
        return tuple(limits.nearest(group, ratio) for group, ratio in enumerate(asked.tolist()))
    wanted = _proportions(asked)
    chosen, largest = wanted > 0, most / wanted[wanted > 0].min()

    def scaled(scale: float) -> Ratios:
        return np.minimum(most, scale * wanted)

    if limits.fits(limits.below(scaled(largest))):
        return bisect(limits, scaled, largest)
    return bisect(limits, lambda ratio: np.where(chosen, most, ratio), most)


def _proportions(ratios: Ratios) -> Ratios:
    """Ratios over the largest one, 0 or at least `LEAST`; all alike where all are zero."""
    if not ratios.any():
        return np.ones_like(ratios)
    return np.where(ratios > 0, np.maximum(ratios / ratios.max(), LEAST), 0.0)


def bisect(
    limits: Limits,
    ratios_at: Callable[[float], Ratios],
    largest: float = 1.0,
    need: Need | None = None,
) -> tuple[int, ...]:
    """The mildest member of a family of ratios that meets the budgets, then filled up to them.

    Counts are rounded down. Then the groups, neediest first, are each given one more legal count
    where it still fits, in up to `ROUNDS` rounds.

    Args:
        limits: The budgets.
        ratios_at: From one number in [0, largest] to (groups,) ratios, never decreasing in it.
        largest: Where the family is at its smallest network.
        need: Which groups come first; left out, those that lost most units by the rounding.

    Raises:
        BudgetError: if no member of the family fits.
    """
    full = limits.graph.full
    if limits.fits(full):
        return full
    low, high = 0.0, largest
    above, within = limits.below(ratios_at(low)), limits.below(ratios_at(high))
    if not limits.fits(within):
        raise BudgetError(
            "these ratios cannot meet the budget even at their largest scale; "
            "prune more layers, or raise the budget"
        )
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        counts = limits.below(ratios_at(middle))
        if counts == within or (counts != above and limits.fits(counts)):
            high, within = middle, counts
        else:
            low, above = middle, counts
        if sum(above) - sum(within) <= limits.rounding.round_to:
            break  # One legal count lies between the two, and `filled` sees to that.
    return filled(limits, ratios_at(high), need)


def filled(limits: Limits, ratios: Ratios, need: Need | None = None) -> tuple[int, ...]:
    """Round down, then give groups one more legal count where that fits, neediest first.

    Args:
        limits: The budgets; they hold once the ratios are rounded down.
        ratios: (groups,) pruning ratios in [0, 1].
        need: Which groups come first; see `bisect`.
    """
    wanted = np.asarray(limits.graph.full) * (1 - ratios)
    kept = list(limits.below(ratios))
    able = list(range(len(kept)))
    for _ in range(ROUNDS):
        needs = need(kept) if need else wanted - kept
        # What does not fit now never will: costs only rise.
        order = sorted(able, key=(-needs).__getitem__)
        able = [at for at in order if _given_one(limits, kept, at)]
    return tuple(kept)


def _given_one(limits: Limits, kept: list[int], at: int) -> bool:
    """In place: one more legal count for a group, if there is one and it fits."""
    counts = limits.counts[at]
    place = bisect_right(counts, kept[at])
    if place == len(counts):
        return False
    before, kept[at] = kept[at], counts[place]
    if limits.fits(kept):
        return True
    kept[at] = before
    return False
