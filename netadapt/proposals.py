"""One proposal of NetAdapt: the current network with one more group narrowed to the target."""

from __future__ import annotations

from bisect import bisect_left

from amc.costs import Limits
from amc.graph import Kept


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
        range(below), True, key=lambda at: limits.use(with_count(counts[at])) > target
    )
    return with_count(counts[reached - 1]) if reached else None
