"""The action's bounds: which kept counts leave the budgets within reach."""

from __future__ import annotations

from collections.abc import Sequence

from amc.costs import Limits


def most_kept(limits: Limits, decided: Sequence[int]) -> int:
    """The largest legal count of the next group that leaves every budget within reach.

    Algorithm 1 of AMC (He et al., 2018), for any monotone cost and after rounding: the cost with
    all later groups at their smallest must still fit. By induction the smallest count always does.

    Args:
        limits: The budgets.
        decided: Kept counts of the groups already decided, in forward order.
    """
    here = len(decided)
    counts, later = limits.counts[here], limits.smallest[here + 1 :]
    low, high = 0, len(counts) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if limits.fits((*decided, counts[middle], *later)):
            low = middle
        else:
            high = middle - 1
    return counts[low]


def executed_count(limits: Limits, decided: Sequence[int], ratio: float) -> int:
    """What an action becomes: the nearest legal count to it that leaves the budgets within reach.

    Args:
        limits: The budgets.
        decided: Kept counts of the groups already decided, in forward order.
        ratio: Pruning ratio asked for, in [0, 1].
    """
    return min(limits.nearest(len(decided), ratio), most_kept(limits, decided))
