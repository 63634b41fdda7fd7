"""What is said of how fast a network is, as its run measured it."""

from collections.abc import Callable

import pytest

from amc.granularity import Granularity
from amc.policy import GroupChoice
from experiments.report import slow_sentence
from experiments.report.comparison import compare
from experiments.report.headline import headlines
from experiments.report.speed import speed, speed_notes
from experiments.runs import Pace, RunResult

Made = Callable[..., RunResult]
WHERE = "torch 2 on cpu, 2 threads, inputs (1, 3, 8, 8)"
FASTER = Pace(0.004, 0.002, (1.8, 2.0, 2.1), WHERE)
LEVEL = Pace(0.004, 0.004, (0.95, 1.0, 1.05), WHERE)
SLOWER = Pace(0.004, 0.005, (0.7, 0.8, 0.9), WHERE)


def with_counts(made: Made, pace: Pace, *kept: int, **changes: object) -> RunResult:
    totals = (8, 32, 64)
    groups = tuple(
        GroupChoice(str(at), count, total)
        for at, (count, total) in enumerate(zip(kept, totals, strict=True))
    )
    return made(pace=pace, groups=groups, **changes)


def test_a_network_that_is_faster_has_no_warning(made: Made) -> None:
    assert slow_sentence("uniform", with_counts(made, FASTER, 3, 13, 29)) == ""
    assert slow_sentence("uniform", made()) == ""


@pytest.mark.parametrize(
    ("pace", "verdict"), [(LEVEL, "not measurably faster"), (SLOWER, "slower")]
)
def test_odd_counts_are_named_with_what_mends_them(made: Made, pace: Pace, verdict: str) -> None:
    told = slow_sentence("uniform", with_counts(made, pace, 3, 13, 24))
    assert told.startswith(f"uniform is {verdict}: {pace.times[1]:.2f} times as fast")
    assert WHERE in told
    assert "1 of 2 groups of 32 units and more" in told
    assert "--round-to auto" in told


def test_counts_that_suited_the_hardware_have_another_reason(made: Made) -> None:
    heads = with_counts(made, LEVEL, 3, 13, 24, config={"round_to": "auto"})
    assert "--round-to" not in slow_sentence("uniform", heads)


def test_where_counts_are_even_time_itself_is_the_way(made: Made) -> None:
    told = slow_sentence("uniform", with_counts(made, LEVEL, 3, 16, 24))
    assert "--round-to" not in told
    assert "amc profile" in told


def test_a_pass_of_nothing_but_calls_is_named(made: Made) -> None:
    short = Pace(0.0001, 0.0001, (0.95, 1.0, 1.05), WHERE)
    told = slow_sentence("uniform", with_counts(made, short, 3, 13, 24))
    assert "calling its operators takes most of it" in told
    assert "--round-to" not in told


def test_masks_cannot_be_faster(made: Made) -> None:
    masked = with_counts(made, LEVEL, 3, 13, 24, granularity=Granularity.parse("element"))
    assert "--granularity channel" in slow_sentence("uniform", masked)


def test_turns_that_went_far_apart_tell_nothing(made: Made) -> None:
    busy = Pace(0.004, 0.004, (0.5, 1.2, 3.0), WHERE)
    told = slow_sentence("uniform", with_counts(made, busy, 3, 13, 24))
    assert "busy" in told
    assert "--round-to" not in told


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (FASTER, "makes resnet8 2.00 times as fast, with 50.0% of its MACs"),
        (SLOWER, "leaves resnet8 slower (0.80 times as fast), with 50.0% of its MACs"),
        (None, "leaves resnet8 with 50.0% of its MACs"),
    ],
)
def test_the_headline_begins_with_the_speed(made: Made, pace: Pace | None, words: str) -> None:
    (told,) = headlines(compare([made(pace=pace)])[0])
    assert words in told


def test_the_tile_shows_it_unless_an_export_measured_better(made: Made) -> None:
    (run,) = compare([made(pace=FASTER)])[0].runs
    found = speed(run)
    assert found is not None
    assert (found.times, found.verdict, found.where) == (2.0, "faster", WHERE)
    (note,) = speed_notes([run])
    assert f"measured in {WHERE}: faster, 2.00 times as fast (1.80 to 2.10 times" in note


def test_the_notes_say_what_may_mend_a_slow_one(made: Made) -> None:
    (run,) = compare([with_counts(made, SLOWER, 3, 13, 24)])[0].runs
    (note,) = speed_notes([run])
    assert "--round-to auto" in note
