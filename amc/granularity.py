"""From a pruning ratio to a legal number of kept units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDOFF = 1e-9


@dataclass(frozen=True)
class Rounding:
    """Which kept counts a group may have.

    Legal are the multiples of `round_to` and the full count, from the smallest that leaves at least
    1 - `max_ratio` of the units (and one unit, or `round_to` of them where there are as many).

    Args:
        round_to: Kept counts are multiples of this; 1 allows every count.
        max_ratio: Largest pruning ratio of a group, a_max of AMC's Algorithm 1, in (0, 1).

    Raises:
        ValueError: if a number is out of range.
    """

    round_to: int = 1
    max_ratio: float = 0.8

    def __post_init__(self) -> None:
        if self.round_to < 1:
            raise ValueError(f"round_to is {self.round_to}; it must be 1 or more channels")
        if not 0 < self.max_ratio < 1:
            raise ValueError(f"max_ratio is {self.max_ratio}; it must lie between 0 and 1")

    def counts(self, units: int) -> tuple[int, ...]:
        """All legal kept counts of a group of `units`, ascending; the last is `units`."""
        fewest = max(1, int(np.ceil(units * (1 - self.max_ratio) - _ROUNDOFF)))
        first = -(-fewest // self.round_to) * self.round_to
        return (*range(first, units, self.round_to), units)

    def nearest(self, units: int, ratio: float) -> int:
        """The legal count closest to removing `ratio` of `units`; of two equally close, the larger.

        Args:
            units: Of the unpruned group.
            ratio: Pruning ratio in [0, 1]; beyond the largest legal one it is clipped.
        """
        wanted = units * (1 - ratio)
        return min(self.counts(units), key=lambda count: (abs(count - wanted), -count))

    def below(self, units: Sequence[int], ratios: ArrayLike) -> NDArray[np.int64]:
        """For each group the largest legal count that keeps at most 1 - ratio of its units.

        Args:
            units: (groups,) units of the unpruned groups.
            ratios: (groups,) pruning ratios in [0, 1].
        """
        full = np.asarray(units, np.int64)
        wanted = full * (1 - np.asarray(ratios, np.float64)) + _ROUNDOFF
        down = (wanted // self.round_to).astype(np.int64) * self.round_to
        fewest = np.array([self.counts(count)[0] for count in units], np.int64)
        return np.where(wanted >= full, full, np.clip(down, fewest, full))
