"""One proposal of NetAdapt: the current network with one more group narrowed to the target."""

from __future__ import annotations

from bisect import bisect_left

from amc.costs import Limits
from amc.graph import Kept


def resource(limits: Limits, kept: Kept) -> float:
    """Use of the scarcest budget: 1 where it is met exactly.

    NetAdapt has one resource; with several budgets the one that is furthest from being met counts.
    """
    return max(item.cost(kept) / item.most for item in limits.items)


def propose(limits: Limits, kept: Kept, group: int, target: float) -> Kept | None:
    """`kept` with the most units of one group that bring the resource to the target.

    Returns:
        None where even the fewest units that the group may keep do not reach it: a proposal that
        misses the target must not compete.
    """

    def with_count(count: int) -> Kept:
        return (*kept[:group], count, *kept[group + 1 :])

    counts = limits.counts[group]
    below = bisect_left(counts, kept[group])
    # Costs are monotone, so the counts that meet the target come first.
    reached = bisect_left(
        range(below), True, key=lambda at: resource(limits, with_count(counts[at])) > target
    )
    return with_count(counts[reached - 1]) if reached else None
