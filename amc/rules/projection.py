"""Pruning ratios onto the budget: families with one free number, bisected, then filled up."""

from __future__ import annotations

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
Kepts = NDArray[np.int64]

Need = Callable[[Sequence[int]], Ratios]
"""From kept counts to (groups,) how much each group deserves one more; the highest comes first."""


def project(limits: Limits, ratios: ArrayLike) -> tuple[int, ...]:
    """Kept counts that use the budget up, in the proportions of `ratios`.

    All ratios are scaled by one number, bisected; counts are rounded down; what is left over is
    handed out again (see `bisect`). A group of ratio 0 stays whole while pruning the others to
    `max_ratio` can reach the budget; where it cannot, all of ratio 0 are pruned alike beside them.

    Args:
        limits: The budgets; with none, the ratios are only rounded.
        ratios: (groups,) pruning ratios in [0, 1]; all 0 stands for all alike.
    """
    return project_all(limits, np.asarray(ratios, np.float64)[None])[0]


def project_all(limits: Limits, ratios: ArrayLike) -> list[tuple[int, ...]]:
    """The same of many policies at once, which takes hardly longer than of one.

    Args:
        limits: The budgets.
        ratios: (policies, groups) pruning ratios in [0, 1].
    """
    most = limits.rounding.max_ratio
    asked = np.clip(np.asarray(ratios, np.float64), 0.0, 1.0)
    if not limits.items:
        return [tuple(map(limits.nearest, range(len(one)), one)) for one in asked.tolist()]
    wanted = _proportions(asked)
    chosen, largest = wanted > 0, most / np.where(wanted > 0, wanted, 1).min(1)
    reach = limits.which_fit(limits.below(np.minimum(most, largest[:, None] * wanted)))

    def ratios_at(scales: Ratios) -> Ratios:
        scaled = np.minimum(most, scales[:, None] * wanted)
        beside = np.where(chosen, most, scales[:, None])
        return np.where(reach[:, None], scaled, beside)

    return _tuples(_bisect_families(limits, ratios_at, np.where(reach, largest, most), None))


def _proportions(ratios: Ratios) -> Ratios:
    """Ratios over each policy's largest one, 0 or at least `LEAST`; all alike where all are 0."""
    largest = ratios.max(1, keepdims=True)
    parts = np.where(ratios > 0, np.maximum(ratios / np.where(largest, largest, 1), LEAST), 0.0)
    return np.where(largest > 0, parts, 1.0)


def _tuples(kept: Kepts) -> list[tuple[int, ...]]:
    return [tuple(one) for one in kept.tolist()]


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

    def alone(scales: Ratios) -> Ratios:
        return np.asarray(ratios_at(float(scales[0])))[None]

    return _tuples(_bisect_families(limits, alone, np.array([largest]), need))[0]


def _bisect_families(
    limits: Limits, ratios_at: Callable[[Ratios], Ratios], largest: Ratios, need: Need | None
) -> Kepts:
    """(policies, groups) the same of as many families as `largest` has numbers."""
    full, high = limits.graph.full, largest.astype(np.float64)
    if limits.fits(full):
        return np.tile(np.array(full, np.int64), (len(high), 1))
    low = np.zeros_like(high)
    above, within = limits.below(ratios_at(low)), limits.below(ratios_at(high))
    if not limits.which_fit(within).all():
        raise BudgetError(
            "these ratios cannot meet the budget even at their largest scale; "
            "prune more layers, or raise the budget"
        )
    going = np.ones(len(high), bool)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        counts = limits.below(ratios_at(middle))
        new = going & (counts != above).any(1) & (counts != within).any(1)
        down = going & (counts == within).all(1)
        down[new] = limits.which_fit(counts[new])
        up = going & ~down
        high[down], within[down] = middle[down], counts[down]
        low[up], above[up] = middle[up], counts[up]
        # One legal count lies between the two, and `filled` sees to that.
        going &= above.sum(1) - within.sum(1) > limits.rounding.round_to
        if not going.any():
            break
    return _fill(limits, ratios_at(high), need)


def fill(limits: Limits, ratios: Ratios, need: Need | None = None) -> tuple[int, ...]:
    """Round down, then give groups one more legal count where that fits, neediest first.

    Args:
        limits: The budgets; they hold once the ratios are rounded down.
        ratios: (groups,) pruning ratios in [0, 1].
        need: Which groups come first; see `bisect`.
    """
    return _tuples(_fill(limits, np.asarray(ratios)[None], need))[0]


def _fill(limits: Limits, ratios: Ratios, need: Need | None) -> Kepts:
    """(policies, groups) the same, of (policies, groups) ratios."""
    wanted = np.asarray(limits.graph.full) * (1 - ratios)
    kept, able = limits.below(ratios), np.ones(ratios.shape, bool)
    order = np.tile(np.arange(ratios.shape[1]), (len(ratios), 1))
    for _ in range(ROUNDS):
        needs = wanted - kept if need is None else np.stack([need(one) for one in kept.tolist()])
        by_need = np.take_along_axis(-needs, order, 1).argsort(1, kind="stable")
        order, more = np.take_along_axis(order, by_need, 1), limits.above(kept)
        able &= more > kept
        for turn in order.T:
            _give_one(limits, kept, more, able, turn)
        if not able.any():
            break
    return kept


def _give_one(
    limits: Limits, kept: Kepts, more: Kepts, able: NDArray[np.bool_], turn: NDArray[np.int64]
) -> None:
    """In place: give each policy's group whose turn it is what it can have more, where that fits.

    What does not fit now never will: costs only rise.
    """
    (rows,) = able[np.arange(len(kept)), turn].nonzero()
    if not len(rows):
        return
    at = turn[rows]
    trial = kept[rows]
    trial[np.arange(len(rows)), at] = more[rows, at]
    fits = limits.which_fit(trial)
    kept[rows[fits]] = trial[fits]
    able[rows[~fits], at[~fits]] = False
