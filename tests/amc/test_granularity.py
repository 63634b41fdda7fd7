"""From pruning ratios to legal counts."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amc.granularity import Granularity, Rounding, below, below_in_steps, nearest

ROUNDINGS = st.builds(Rounding, st.integers(1, 32), st.floats(0.01, 0.99))
UNITS = st.integers(1, 600)
RATIOS = st.floats(0, 1)
LISTED = st.sets(UNITS, min_size=1).map(lambda counts: tuple(sorted(counts)))
COUNTS = st.one_of(st.builds(Rounding.counts, ROUNDINGS, UNITS), LISTED)
"""Legal counts of a group, by a rule or listed."""
ROUNDOFF = 1e-6


def test_counts_by_hand() -> None:
    assert tuple(Rounding(1, 0.8).counts(5)) == (1, 2, 3, 4, 5)
    assert tuple(Rounding(1, 0.5).counts(7)) == (4, 5, 6, 7)
    assert tuple(Rounding(4, 0.8).counts(16)) == (4, 8, 12, 16)
    assert tuple(Rounding(4, 0.5).counts(18)) == (12, 16, 18)
    assert tuple(Rounding(8, 0.8).counts(6)) == (6,)


def test_a_ratio_that_leaves_a_whole_number_is_not_rounded_up_by_roundoff() -> None:
    # 10 * (1 - 0.7) is 3.0000000000000004 in floating point.
    assert Rounding(1, 0.7).counts(10)[0] == 3


@given(ROUNDINGS, UNITS)
def test_counts_ascend_to_all_units_by_multiples(rounding: Rounding, units: int) -> None:
    counts = rounding.counts(units)
    assert list(counts) == sorted(set(counts))
    assert counts[-1] == units
    assert counts[0] >= 1
    assert all(count % rounding.round_to == 0 for count in counts[:-1])


@given(ROUNDINGS, UNITS)
def test_no_count_is_left_out_and_none_removes_too_much(rounding: Rounding, units: int) -> None:
    fewest = units * (1 - rounding.max_ratio)
    legal = [
        count
        for count in range(1, units + 1)
        if count == units or (count % rounding.round_to == 0 and count >= fewest - ROUNDOFF)
    ]
    assert list(rounding.counts(units)) == legal


@given(COUNTS, RATIOS)
def test_nearest_is_the_closest_legal_count(counts: Sequence[int], ratio: float) -> None:
    wanted = counts[-1] * (1 - ratio)
    found = nearest(counts, ratio)
    distances = {count: abs(count - wanted) for count in counts}
    assert distances[found] == min(distances.values())
    assert all(found >= count for count, far in distances.items() if far == distances[found])


def test_of_two_equally_close_counts_the_larger_stays() -> None:
    assert Rounding(4).nearest(16, 1 - 6 / 16) == 8


@given(COUNTS, RATIOS)
def test_below_is_the_largest_legal_count_that_is_not_above(
    counts: Sequence[int], ratio: float
) -> None:
    wanted = counts[-1] * (1 - ratio) + ROUNDOFF / 1000
    assert below(counts, ratio) == max((n for n in counts if n <= wanted), default=counts[0])


@given(COUNTS, RATIOS, RATIOS)
def test_a_larger_ratio_never_keeps_more(counts: Sequence[int], one: float, other: float) -> None:
    milder, harder = sorted((one, other))
    assert below(counts, milder) >= below(counts, harder)
    assert nearest(counts, milder) >= nearest(counts, harder)


@given(COUNTS)
def test_the_ends_of_the_range(counts: Sequence[int]) -> None:
    assert nearest(counts, 0) == below(counts, 0) == counts[-1]
    assert nearest(counts, 1) == below(counts, 1) == counts[0]


def test_counts_of_a_network_go_before_the_rule() -> None:
    assert list(map(tuple, Rounding(4).legal([8, 6]))) == [(4, 8), (4, 6)]
    assert Rounding(4, widths=((3, 8), (6,))).legal([8, 6]) == ((3, 8), (6,))


@pytest.mark.parametrize("round_to", [0, -4])
def test_multiples_are_of_at_least_one(round_to: int) -> None:
    with pytest.raises(ValueError, match=f"round_to is {round_to}; it must be 1 or more"):
        Rounding(round_to)


@pytest.mark.parametrize("max_ratio", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_the_largest_ratio_lies_between_the_ends(max_ratio: float) -> None:
    with pytest.raises(ValueError, match=f"max_ratio is {max_ratio}; it must lie between 0 and 1"):
        Rounding(max_ratio=max_ratio)


def test_a_fixed_pattern_leaves_nothing_to_choose() -> None:
    fixed = Granularity.parse("2:4")
    assert tuple(fixed.rounding().counts(4)) == (2, 4)
    with pytest.raises(ValueError, match=r"max_ratio is 0\.3; granularity 2:4 allows only 2 and 4"):
        fixed.rounding(max_ratio=0.3)
    with pytest.raises(ValueError, match="round_to is 2; granularity 2:4 allows only 2 and 4"):
        fixed.rounding(round_to=2)
    assert tuple(Granularity.parse("n:4").rounding(max_ratio=0.3).counts(4)) == (3, 4)


@given(ROUNDINGS, st.lists(UNITS, min_size=1, max_size=4), st.data())
def test_the_largest_counts_below_a_ratio_are_those_of_the_lists(
    rounding: Rounding, units: list[int], data: st.DataObject
) -> None:
    ratios = np.array(data.draw(st.lists(RATIOS, min_size=len(units), max_size=len(units))))
    counts = [rounding.counts(each) for each in units]
    steps = np.array([(one.first, one.step, one.full) for one in counts]).T
    wanted = [
        max((n for n in one if n <= one.full * (1 - ratio) + 1e-9), default=one[0])
        for one, ratio in zip(counts, ratios, strict=True)
    ]
    assert below_in_steps(steps, ratios).tolist() == wanted
    assert [int(below(one, ratio)) for one, ratio in zip(counts, ratios, strict=True)] == wanted
    listed = [int(below(tuple(one), ratio)) for one, ratio in zip(counts, ratios, strict=True)]
    assert listed == wanted
