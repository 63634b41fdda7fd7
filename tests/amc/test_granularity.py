"""From pruning ratios to legal counts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amc.granularity import Granularity, Rounding

ROUNDINGS = st.builds(Rounding, st.integers(1, 32), st.floats(0.01, 0.99))
UNITS = st.integers(1, 600)
RATIOS = st.floats(0, 1)
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


@given(ROUNDINGS, UNITS, RATIOS)
def test_nearest_is_the_closest_legal_count(rounding: Rounding, units: int, ratio: float) -> None:
    wanted = units * (1 - ratio)
    found = rounding.nearest(units, ratio)
    distances = {count: abs(count - wanted) for count in rounding.counts(units)}
    assert distances[found] == min(distances.values())
    assert all(found >= count for count, far in distances.items() if far == distances[found])


def test_of_two_equally_close_counts_the_larger_stays() -> None:
    assert Rounding(4).nearest(16, 1 - 6 / 16) == 8


@given(ROUNDINGS, st.lists(st.tuples(UNITS, RATIOS), min_size=1, max_size=6))
@settings(deadline=None)
def test_below_is_the_largest_legal_count_that_is_not_above(
    rounding: Rounding, groups: list[tuple[int, float]]
) -> None:
    units, ratios = zip(*groups, strict=True)
    for found, (total, ratio) in zip(rounding.below(units, ratios), groups, strict=True):
        wanted = total * (1 - ratio) + ROUNDOFF / 1000
        counts = rounding.counts(total)
        assert found in counts
        assert found == max((n for n in counts if n <= wanted), default=counts[0])


@given(ROUNDINGS, UNITS, RATIOS, RATIOS)
def test_a_larger_ratio_never_keeps_more(
    rounding: Rounding, units: int, one: float, other: float
) -> None:
    milder, harder = sorted((one, other))
    assert rounding.below([units], [milder])[0] >= rounding.below([units], [harder])[0]
    assert rounding.nearest(units, milder) >= rounding.nearest(units, harder)


@given(ROUNDINGS, UNITS)
def test_the_ends_of_the_range(rounding: Rounding, units: int) -> None:
    counts = rounding.counts(units)
    assert rounding.nearest(units, 0) == rounding.below([units], [0])[0] == units
    assert rounding.nearest(units, 1) == rounding.below([units], [1])[0] == counts[0]


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
