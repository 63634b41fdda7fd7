"""How long calls take, measured in turns, so that what else the machine does meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 0.004
"""Seconds that a call is repeated for in one round: a clock's own noise is far below."""
WARM_UP = 5
FEWEST_ROUNDS = 3

Call = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Spread:
        """Of (values,)."""
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))


def interleave(calls: Sequence[Call], seconds: float) -> NDArray[np.float64]:
    """Seconds that each call takes, round by round.

    In a round each call has its turn, for a few milliseconds on end; every other round goes
    backwards, so that none always follows the same one.

    Args:
        calls: What to measure.
        seconds: To spend, warm-up excluded; there are at least `FEWEST_ROUNDS`.

    Returns:
        (calls, rounds)
    """
    each = [max(1, round(BLOCK / _warm(call))) for call in calls]
    order = list(range(len(calls)))
    rounds: list[NDArray[np.float64]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < FEWEST_ROUNDS or time.perf_counter() < end:
        found = np.empty(len(calls))
        for number in order:
            found[number] = _time(calls[number], each[number])
        rounds.append(found)
        order.reverse()
    return np.stack(rounds, axis=1)


def _warm(call: Call) -> float:
    """Run a call until its caches are filled; about the seconds that it then takes, above 0."""
    return max(min(_time(call, 1) for _ in range(WARM_UP)), 1e-7)


def _time(call: Call, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times
