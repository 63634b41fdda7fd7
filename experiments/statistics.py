"""Means of few runs, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student  # type: ignore[import-untyped]


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95% interval by Student's t; 0 for a single value."""
    data = np.asarray(values, np.float64)
    if len(data) < 2:
        return float(data.mean()), 0.0
    error = data.std(ddof=1) / np.sqrt(len(data))
    return float(data.mean()), float(student.ppf(0.975, len(data) - 1) * error)
