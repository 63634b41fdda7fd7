"""Few measured widths tell all of them, and the staircase stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amc.costs.latency.interpolation import PERIOD, complete, knots, skeleton, weights

RANGES = st.builds(
    lambda first, length, step: tuple(range(first, first + length * step, step)),
    st.integers(1, 40),
    st.integers(1, 300),
    st.sampled_from([1, 2, 4, 8, 16]),
)
SLOPES = arrays(np.float64, PERIOD, elements=st.floats(0, 10))


def test_few_widths_are_all_measured() -> None:
    assert knots(range(4, 17)) == tuple(range(4, 17))
    assert knots((64,)) == (64,)


def test_of_many_widths_windows_at_the_ends_and_in_the_middle_are_measured() -> None:
    assert knots(range(103, 513)) == (*range(103, 119), *range(300, 316), *range(497, 513))
    assert knots(range(8, 513, 8))[:4] == (8, 16, 104, 112)
    assert len(knots(range(16, 2049, 16))) == 12


def test_of_whole_blocks_the_ends_and_the_middle_are_a_skeleton() -> None:
    assert skeleton(range(16, 193, 16)) == (0, 5, 11)
    assert skeleton((4, 8, 12, 16)) == (0, 1, 2, 3)


@given(RANGES)
def test_knots_hold_both_ends_and_every_remainder_at_each(widths: tuple[int, ...]) -> None:
    found = knots(widths)
    assert set(found) <= set(widths)
    assert (found[0], found[-1]) == (widths[0], widths[-1])
    for few in (found[:PERIOD], found[-PERIOD:]):
        assert {width % PERIOD for width in few} == {width % PERIOD for width in widths}


@given(RANGES, SLOPES, SLOPES)
def test_a_curve_for_each_remainder_is_told_exactly(
    widths: tuple[int, ...], heights: np.ndarray, slopes: np.ndarray
) -> None:
    """Steps of any height, up and down, repeated after PERIOD widths."""

    def time(width: int) -> float:
        return float(heights[width % PERIOD] + slopes[width % PERIOD] * width)

    measured = knots(widths)
    told = weights(widths, measured) @ np.array([time(width) for width in measured])
    assert told == pytest.approx([time(width) for width in widths])


def test_a_step_keeps_its_edge() -> None:
    steps = np.array([float(-(-width // 8)) for width in knots(range(13, 257))])
    told = weights([120, 121, 128, 129], knots(range(13, 257))) @ steps
    assert told == pytest.approx([15, 16, 16, 17])


@pytest.mark.parametrize("block", [2, 4, 8])
def test_two_kinds_of_loop_are_told_by_whole_rows_and_columns(block: int) -> None:
    """Inputs that fill blocks take one loop, others another; each with outputs of its own way."""

    def time(inputs: int, outputs: int) -> float:
        if inputs % block == 0:
            return inputs * float(-(-outputs // 8)) + 40 * outputs
        return 3.0 * inputs * -(-outputs // 4) + 20 * inputs + 500

    rows, columns = knots(range(20, 101)), knots(range(52, 257))
    times = np.array([[time(i, o) for o in columns] for i in rows])
    seen = np.full(times.shape, np.nan)
    whole_rows, whole_columns = list(skeleton(rows)), list(skeleton(columns))
    seen[whole_rows], seen[:, whole_columns] = times[whole_rows], times[:, whole_columns]
    assert np.isnan(seen).mean() > 0.5
    np.testing.assert_allclose(complete(seen), times, rtol=0.02)


def test_noise_in_the_skeleton_is_not_made_larger() -> None:
    chance = np.random.default_rng(0)
    rows = columns = knots(range(52, 257))
    times = np.outer(rows, columns) * 1e-3
    noisy = times * chance.normal(1, 0.01, times.shape)
    seen = np.full(times.shape, np.nan)
    whole = list(skeleton(rows))
    seen[whole], seen[:, whole] = noisy[whole], noisy[:, whole]
    error = np.abs(complete(seen) / times - 1)
    assert np.quantile(error, 0.9) < 0.025


def test_what_was_measured_stays_as_it_was() -> None:
    times = np.array([[1.0, 2.0, 3.0], [2.0, 4.5, np.nan], [3.0, np.nan, 9.0]])
    told = complete(times)
    assert (told[0].tolist(), told[1, 1]) == ([1, 2, 3], 4.5)
    assert told[2, 1] == pytest.approx(6)


def test_a_matrix_without_whole_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="need whole rows and columns"):
        complete(np.array([[1.0, np.nan], [np.nan, 1.0]]))
