"""The action's bounds: which kept counts leave the budgets within reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs import Limits
from amc.granularity import counts_at, nearest_index
from amc.graph import Kept

BETWEEN = 7
"""Counts tried at once where an action is bounded: more arithmetic, but fewer calls."""

Whole = NDArray[np.int64]
Ratios = NDArray[np.float64]


def execute_action(limits: Limits, decided: Sequence[int], ratio: float) -> int:
    """What an action becomes: the nearest legal count to it that leaves the budgets within reach.

    Algorithm 1 of AMC (He et al., 2018), for any monotone cost and after rounding: the cost with
    all later groups at their smallest must still fit. By induction the smallest count always does.
    As long as widths alone leave the budgets within reach, later branches are taken to stay: else
    early groups would use up what those need, and the last ones would always be gone.

    Args:
        limits: The budgets.
        decided: Kept counts of the groups already decided, in forward order.
        ratio: Pruning ratio asked for, in [0, 1].
    """
    here = len(decided)
    kept = np.array([[*decided, *limits.smallest[here:]]])
    _let_stay(limits, kept, here)
    _decide(limits, kept, here, np.array([ratio]))
    return int(kept[0, here])


def execute_rollouts(limits: Limits, ratios: ArrayLike) -> list[Kept]:
    """Where rollouts end whose actions are these, each executed as it is taken.

    Args:
        limits: The budgets.
        ratios: (rollouts, groups) pruning ratios asked for, in [0, 1].

    Returns:
        Kept counts, 0 for every group of a branch that is gone.
    """
    groups = len(limits.counts)
    asked = np.asarray(ratios, np.float64).reshape(-1, groups)
    kept = np.tile(np.array(limits.smallest), (len(asked), 1))
    for here in range(groups):
        _let_stay(limits, kept, here)
        _decide(limits, kept, here, asked[:, here])
    return [tuple(one) for one in limits.graph.settled(kept).tolist()]


def _let_stay(limits: Limits, kept: Whole, here: int) -> None:
    """In place: where the budgets allow that, later groups keep the fewest that are something."""
    fewest = np.array(limits.fewest[here:])
    rows = np.flatnonzero((kept[:, here:] < fewest).any(1))
    if len(rows):
        staying = kept[rows]
        staying[:, here:] = fewest
        # A branch that is gone already leaves nothing to decide in it.
        full = np.tile(np.array(limits.graph.full), (len(rows), 1))
        full[:, :here] = staying[:, :here]
        staying[limits.graph.settled(full) == 0] = 0
        fits = limits.which_fit(staying)
        kept[rows[fits]] = staying[fits]


def _decide(limits: Limits, kept: Whole, here: int, ratios: Ratios) -> None:
    """In place: the counts of group `here` of (rollouts, groups), whose later ones are smallest."""
    counts = limits.counts[here]
    high = nearest_index(counts, ratios)
    kept[:, here] = counts_at(counts, high)
    bound = ~limits.which_fit(kept)
    if bound.any():
        kept[bound, here] = counts_at(counts, _most(limits, kept[bound], here, high[bound]))
    decided = kept[:, : here + 1]
    if not decided.all():  # A branch that is gone already leaves nothing to decide in it.
        full = np.tile(np.array(limits.graph.full), (len(kept), 1))
        full[:, : here + 1] = decided
        kept[:, here] = limits.graph.settled(full)[:, here]


def _most(limits: Limits, kept: Whole, here: int, unfit: Whole) -> Whole:
    """(rollouts,) the largest index of a count below `unfit` with which the budgets hold."""
    low, high = np.zeros_like(unfit), unfit.copy()
    parts = np.arange(1, BETWEEN + 1)
    while len(still := (high - low > 1).nonzero()[0]):
        below, above = low[still, None], high[still, None]
        tried = below + (above - below) * parts // (BETWEEN + 1)
        candidates = kept[still].repeat(BETWEEN, axis=0)
        candidates[:, here] = counts_at(limits.counts[here], tried.ravel())
        fits = limits.which_fit(candidates).reshape(tried.shape)
        fitting = np.logical_and.accumulate(fits, axis=1).sum(1)
        around, each = np.column_stack([below, tried, above]), np.arange(len(still))
        low[still], high[still] = around[each, fitting], around[each, fitting + 1]
    return low
