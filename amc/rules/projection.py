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

Gone = NDArray[np.bool_]
"""(policies, groups) groups that keep nothing."""

Need = Callable[[Sequence[int]], Ratios]
"""From kept counts to (groups,) how much each group deserves one more; the highest comes first."""


def project(limits: Limits, ratios: ArrayLike, *, depth: bool = False) -> tuple[int, ...]:
    """Kept counts that use the budget up, in the proportions of `ratios`.

    All ratios are scaled by one number, bisected; counts are rounded down; what is left over is
    handed out again (see `bisect`). A group of ratio 0 stays whole while pruning the others to
    `max_ratio` can reach the budget; where it cannot, all of ratio 0 are pruned alike beside them,
    and where that is not enough either, as few whole branches go as will do.

    Args:
        limits: The budgets; with none, the ratios are only rounded.
        ratios: (groups,) pruning ratios in [0, 1]; all 0 stands for all alike.
        depth: Ratios are amounts as well as proportions: a group whose ratio is closer to all of it
            than to the most that a group may lose goes, and its branch with it; the others are
            scaled.
    """
    return project_all(limits, np.asarray(ratios, np.float64)[None], depth=depth)[0]


def project_all(limits: Limits, ratios: ArrayLike, *, depth: bool = False) -> list[tuple[int, ...]]:
    """The same of many policies at once, which takes hardly longer than of one.

    Args:
        limits: The budgets.
        ratios: (policies, groups) pruning ratios in [0, 1].
        depth: As for `project`.
    """
    asked = np.clip(np.asarray(ratios, np.float64), 0.0, 1.0)
    if not limits.items:
        kept = [list(map(limits.nearest, range(len(one)), one)) for one in asked.tolist()]
        return _tuples(limits.graph.settled(kept))
    gone = limits.dropped(asked) if depth else np.zeros(asked.shape, bool)
    return _tuples(_projected(limits, np.where(gone, 0.0, asked), gone))


def _projected(limits: Limits, asked: Ratios, gone: Gone) -> Kepts:
    """(policies, groups) the same, where these groups are gone."""
    wanted, most = _proportions(asked), limits.most
    chosen = wanted > 0
    largest = np.where(chosen, most / np.where(chosen, wanted, 1), 0).max(1)
    reach = limits.which_fit(_below(limits, np.minimum(most, largest[:, None] * wanted), gone))

    def ratios_at(scales: Ratios) -> Ratios:
        scaled = np.minimum(most, scales[:, None] * wanted)
        beside = np.where(chosen, most, np.minimum(most, scales[:, None]))
        return np.where(reach[:, None], scaled, beside)

    return _bisect_families(limits, ratios_at, np.where(reach, largest, most.max()), None, gone)


def _below(limits: Limits, ratios: Ratios, gone: Gone) -> Kepts:
    """Counts rounded down, 0 where groups are gone, and wherever their branches are."""
    return limits.graph.settled(np.where(gone, 0, limits.below(ratios)))


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

    gone = np.zeros((1, len(limits.graph.groups)), bool)
    return _tuples(_bisect_families(limits, alone, np.array([largest]), need, gone))[0]


def _bisect_families(
    limits: Limits,
    ratios_at: Callable[[Ratios], Ratios],
    largest: Ratios,
    need: Need | None,
    gone: Gone,
) -> Kepts:
    """(policies, groups) the same of as many families as `largest` has numbers."""
    high = largest.astype(np.float64)
    low = np.zeros_like(high)
    whole = np.zeros((len(high), len(limits.graph.groups)))
    mild = limits.which_fit(_below(limits, whole, gone))
    high[mild] = 0.0  # what is gone is enough
    if mild.all():
        return _below(limits, whole, gone)
    above = _below(limits, ratios_at(low), gone)
    within = _below(limits, ratios_at(high), gone)
    within[mild] = above[mild]
    short = ~limits.which_fit(within)
    if short.any() and not all(limits.smallest):
        gone = gone | _enough(limits, within, short)
        return _bisect_families(limits, ratios_at, largest, need, gone)
    if short.any():
        raise BudgetError(
            "these ratios cannot meet the budget even at their largest scale; "
            "prune more layers, or raise the budget"
        )
    going = ~mild
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        counts = _below(limits, ratios_at(middle), gone)
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
    return _fill(limits, np.where(mild[:, None], 0.0, ratios_at(high)), need, gone)


def _enough(limits: Limits, kept: Kepts, short: NDArray[np.bool_]) -> Gone:
    """(policies, groups) groups that go where narrowing alone does not meet the budgets.

    Of whole branches as few as will do: that which saves most of the scarcest budget first.
    """
    gone = np.zeros(kept.shape, bool)
    for row in short.nonzero()[0]:
        left = kept[row]
        while not limits.fits(left.tolist()):
            tried = []
            for branch in limits.graph.branches:
                without = left.copy()
                without[list(branch.groups)] = 0
                tried.append(limits.graph.settled(without))
            cheapest = min(tried, key=lambda one: limits.use(one.tolist()), default=left)
            if (cheapest == left).all():
                raise BudgetError(
                    "these ratios cannot meet the budget even at their largest scale, with every "
                    "branch gone that may go; prune more layers, or raise the budget"
                )
            left = cheapest
        gone[row] = left == 0
    return gone


def fill(limits: Limits, ratios: Ratios, need: Need | None = None) -> tuple[int, ...]:
    """Round down, then give groups one more legal count where that fits, neediest first.

    Args:
        limits: The budgets; they hold once the ratios are rounded down.
        ratios: (groups,) pruning ratios in [0, 1].
        need: Which groups come first; see `bisect`.
    """
    gone = np.zeros((1, len(limits.graph.groups)), bool)
    return _tuples(_fill(limits, np.asarray(ratios)[None], need, gone))[0]


def fill_up(limits: Limits, kept: Sequence[int]) -> tuple[int, ...]:
    """Give groups one more legal count where that fits, those that lost most first, to the end.

    Args:
        limits: The budgets; they hold.
        kept: (groups,) legal counts; what keeps nothing stays so.
    """
    counts = np.array(kept, np.int64)[None]
    able = counts > 0
    while able.any():
        turns = (counts[0] / np.array(limits.graph.full)).argsort(kind="stable")
        more = limits.above(counts)
        able &= more > counts
        for turn in turns:
            _give_one(limits, counts, more, able, turn[None])
    return _tuples(counts)[0]


def _fill(limits: Limits, ratios: Ratios, need: Need | None, gone: Gone) -> Kepts:
    """(policies, groups) the same, of (policies, groups) ratios."""
    wanted = np.asarray(limits.graph.full) * (1 - ratios)
    kept = _below(limits, ratios, gone)
    able = kept > 0
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
