"""Means and their intervals, by hand."""

import pytest

from experiments.statistics import mean_and_interval


def test_three_values_by_hand() -> None:
    # Standard error 1 / sqrt(3), and Student's t of two degrees of freedom is 4.3027.
    assert mean_and_interval([1, 2, 3]) == pytest.approx((2, 4.3027 / 3**0.5), abs=1e-4)


def test_one_value_has_no_interval() -> None:
    assert mean_and_interval([0.5]) == (0.5, 0)
