"""Means of few runs, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# scipy.stats takes a second to import, so only means of several runs pay for it.


def half_interval(values: Sequence[float]) -> float:
    """Half the width of the 95% interval of the mean, by Student's t; NaN for a single value."""
    if len(values) < 2:
        return float("nan")
    from scipy.stats import sem  # type: ignore[import-untyped]
    from scipy.stats import t as student

    return float(student.ppf(0.975, len(values) - 1) * sem(values))


def half_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Half the width of the 95% interval of the difference of two means, whose runs are unrelated.

    By Welch ("The generalization of Student's problem when several different population variances
    are involved", 1947); NaN where one has a single value.
    """
    if min(len(ours), len(theirs)) < 2:
        return float("nan")
    if np.ptp(ours) == 0 == np.ptp(theirs):
        return 0.0
    from scipy.stats import ttest_ind

    interval = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    return float(interval.high - interval.low) / 2


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and its `half_interval`, for files: 0 for a single value, as JSON knows no NaN."""
    return float(np.mean(values)), half_interval(values) if len(values) > 1 else 0.0
