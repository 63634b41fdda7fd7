"""Schedules: the counts by hand, and what holds for any of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amc.finetuning.schedule import KINDS, Schedule
from amc.granularity import Rounding


def test_a_linear_schedule_takes_the_same_at_every_stage() -> None:
    assert Schedule("linear", 4).kept([100, 10], [20, 2]) == ((80, 8), (60, 6), (40, 4), (20, 2))


def test_a_cubic_schedule_takes_most_at_first() -> None:
    """s_t = s_f (1 - (1 - t/4)^3) with s_f = 0.64: 0.37, 0.56, 0.63 and 0.64."""
    assert Schedule("cubic", 4).kept([1000], [360]) == ((630,), (440,), (370,), (360,))


def test_one_shot_is_the_target_at_once() -> None:
    assert Schedule("one-shot", 7).kept([9, 4], [3, 4]) == ((3, 4),)
    assert Schedule("one-shot", 7).steps(50) == (50,)


def test_a_started_network_goes_on_from_where_it_is() -> None:
    assert Schedule("linear", 2).kept([60], [20], full=[100]) == ((40,), (20,))


def test_counts_on_the_way_can_be_rounded() -> None:
    rounding = Rounding(8, 0.9)
    found = Schedule("linear", 3).kept([64], [16], rounding=rounding)
    assert found == ((48,), (32,), (16,))
    assert Schedule("cubic", 3).kept([64], [16], rounding=rounding) == ((32,), (16,), (16,))


networks = st.lists(
    st.integers(1, 70).flatmap(lambda full: st.tuples(st.just(full), st.integers(1, full))),
    min_size=1,
    max_size=4,
)
schedules = st.builds(Schedule, st.sampled_from(sorted(KINDS)), st.integers(1, 9))


@given(networks, schedules, st.none() | st.integers(1, 8))
def test_counts_never_rise_are_legal_and_end_at_the_target(groups, schedule, multiple) -> None:
    full, target = zip(*groups, strict=True)
    rounding = None
    if multiple is not None:
        rounding = Rounding(multiple, 0.8)
        target = tuple(rounding.nearest(n, 1 - k / n) for n, k in groups)
    stages = schedule.kept(full, target, rounding=rounding)
    assert len(stages) == schedule.count
    assert stages[-1] == target
    for before, after in zip([full, *stages], stages, strict=False):
        assert all(1 <= now <= then for then, now in zip(before, after, strict=True))
        if rounding is not None:
            assert all(k in rounding.counts(n) for n, k in zip(full, after, strict=True))


@given(st.integers(0, 500), schedules, st.floats(0, 1))
def test_steps_are_shared_out_to_the_last_one(total, schedule, share) -> None:
    steps = Schedule(schedule.kind, schedule.stages, share).steps(total)
    assert len(steps) == schedule.count
    assert sum(steps) == total
    assert min(steps) >= 0


def test_stages_get_the_same_steps_unless_the_last_is_to_get_more() -> None:
    assert Schedule("linear", 4).steps(100) == (25, 25, 25, 25)
    assert Schedule("linear", 4, final_share=0.4).steps(100) == (20, 20, 20, 40)
    assert Schedule("cubic", 3, final_share=1).steps(100) == (0, 0, 100)


@pytest.mark.parametrize(("start", "target"), [([4], [5]), ([4], [-1]), ([4, 4], [4])])
def test_a_target_out_of_reach_is_refused(start: list[int], target: list[int]) -> None:
    with pytest.raises(ValueError, match="every group must end with 0 or more"):
        Schedule("linear").kept(start, target)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="stages is 0; it must be 1 or more"):
        Schedule("linear", 0)
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"final_share is {share}; it must be from 0 to 1"):
            Schedule("linear", 2, share)
    with pytest.raises(LookupError, match="cubic"):
        Schedule("cubik")
