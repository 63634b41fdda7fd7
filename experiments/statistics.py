"""Means of few runs, and how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


def half_interval(values: Sequence[float]) -> float:
    """Half the width of the 95% interval of the mean, by Student's t; NaN for a single value."""
    if len(values) < 2:
        return float("nan")
    return _student(len(values) - 1) * math.sqrt(_error(values))


def half_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Half the width of the 95% interval of the difference of two means, whose runs are unrelated.

    By Welch ("The generalization of Student's problem when several different population variances
    are involved", 1947); NaN where one has a single value.
    """
    if min(len(ours), len(theirs)) < 2:
        return float("nan")
    errors = [_error(ours), _error(theirs)]
    whole = sum(errors)
    if not whole:
        return 0.0
    parts = zip(errors, (ours, theirs), strict=True)
    freedom = whole**2 / sum(error**2 / (len(values) - 1) for error, values in parts)
    return _student(freedom) * math.sqrt(whole)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Args:
        values: One at least.
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Mean:
        """Of one value at least."""
        return cls(tuple(values))

    @property
    def mean(self) -> float:
        """The mean itself."""
        return float(np.mean(self.values))

    @property
    def half(self) -> float:
        """Half the width of its 95% interval, by Student's t; NaN for a single value."""
        return half_interval(self.values)

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + (f" ± {self.half:.4f}" if len(self.values) > 1 else "")

    def apart(self, other: Mean) -> bool:
        """Whether the intervals do not overlap; never where one is not known."""
        return abs(self.mean - other.mean) > self.half + other.half


def signed(value: float, half: float) -> str:
    """A difference with its interval, where that is known."""
    return f"{value:+.4f}" + ("" if math.isnan(half) else f" ± {half:.4f}")


def difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Of two means, with its `half_difference`."""
    return signed(float(np.mean(ours) - np.mean(theirs)), half_difference(ours, theirs))


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and its `half_interval`, for files: 0 for a single value, as JSON knows no NaN."""
    return float(np.mean(values)), half_interval(values) if len(values) > 1 else 0.0


def _error(values: Sequence[float]) -> float:
    """The squared standard error of the mean."""
    return float(np.var(values, ddof=1)) / len(values)


def _student(freedom: float) -> float:
    """What 95% of the values of Student's t lie within."""
    # scipy takes a while to import, so only means of several runs pay for it.
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    return float(stdtrit(freedom, 0.975))
