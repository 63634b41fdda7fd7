"""Means and their intervals, by hand."""

import math

import pytest

from experiments.statistics import half_difference, half_interval, mean_and_interval


def test_three_values_by_hand() -> None:
    # Standard error 1 / sqrt(3), and Student's t of two degrees of freedom is 4.3027.
    assert mean_and_interval([1, 2, 3]) == pytest.approx((2, 4.3027 / 3**0.5), abs=1e-4)


def test_one_value_has_no_interval() -> None:
    assert mean_and_interval([0.5]) == (0.5, 0)


def test_an_interval_is_students() -> None:
    mean, half = mean_and_interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert half == half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / 3**0.5, rel=1e-3)
    assert math.isnan(half_interval([1.0]))


def test_a_difference_is_welchs() -> None:
    from scipy.stats import ttest_ind

    ours, theirs = [1.0, 2.0, 4.0], [1.0, 1.5, 1.25, 9.0]
    known = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert half_difference(ours, theirs) == pytest.approx((known.high - known.low) / 2)
    assert half_difference([1.0, 1.0], [2.0, 2.0]) == 0
    assert math.isnan(half_difference([1.0], ours))
