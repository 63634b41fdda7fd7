"""What a person sees while work goes on."""

import contextlib
import io

import pytest
from rich.console import Console

from experiments.terminal import progress
from experiments.terminal.progress import LINE_EVERY_SECONDS, Pace, Reporter


@pytest.fixture
def clock(monkeypatch):
    """Seconds, as a list of one number to set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def plain():
    return Console(file=io.StringIO(), width=40)


def lines(console):
    return console.file.getvalue().splitlines()


def test_without_a_terminal_there_is_a_plain_line_now_and_then(plain, clock):
    with Reporter("gp-rollout", 100, plain) as reporter:
        for step in range(1, 101):
            clock[0] = step * LINE_EVERY_SECONDS / 25
            reporter.update(step, f"best accuracy {step / 100}")
    assert lines(plain) == [
        "gp-rollout: 25/100, best accuracy 0.25, 2.5/s, 30 s left",
        "gp-rollout: 50/100, best accuracy 0.5, 2.5/s, 20 s left",
        "gp-rollout: 75/100, best accuracy 0.75, 2.5/s, 10 s left",
        "gp-rollout: 100/100, best accuracy 1.0, 2.5/s",
    ]


@pytest.mark.parametrize("seconds", [0, LINE_EVERY_SECONDS])
def test_work_that_needs_fewer_steps_ends_whole(plain, clock, seconds):
    with Reporter("gp-rollout", 100, plain) as reporter:
        clock[0] = seconds
        reporter.update(99, "best accuracy 0.5")
    assert lines(plain)[-1].startswith("gp-rollout: 99/99, best accuracy 0.5")


def test_the_end_is_told_once(plain, clock):
    with Reporter("training", 3, plain) as reporter:
        for step in (1, 2, 3):
            reporter.update(step, "loss 0.1")
    assert lines(plain) == ["training: 3/3, loss 0.1"]


def test_work_without_a_known_end_tells_where_it_ended(plain, clock):
    with Reporter("netadapt", None, plain) as reporter:
        reporter.update(1, "first")
        reporter.update(2, "second")
    assert lines(plain) == ["netadapt: 2, second"]


def test_lines_are_whole_and_literal(plain, clock):
    note = "not yet [within] the budget: accuracy 0.9123 at 75% MACs"
    with Reporter("[bold]", 1, plain) as reporter:
        reporter.update(1, note)
    assert lines(plain) == [f"[bold]: 1/1, {note}"]


def test_nothing_to_tell_is_not_told(plain, clock):
    with Reporter("idle", 5, plain):
        pass
    assert lines(plain) == []


def test_work_that_breaks_off_says_how_far_it_came(plain, clock):
    def work():
        with Reporter("gp-rollout", 9, plain) as reporter:
            reporter.update(4, "best accuracy 0.5")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert lines(plain) == ["gp-rollout: 4/9, best accuracy 0.5"]


@pytest.mark.parametrize(("error", "count"), [(None, "3/3"), (KeyboardInterrupt, "3/4")])
def test_on_a_terminal_there_is_a_bar_with_the_note(error, count):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with contextlib.suppress(KeyboardInterrupt), Reporter("gp-rollout", 4, console) as reporter:
        reporter.update(3, "best [accuracy] 0.75")
        if error:
            raise error
    shown = console.file.getvalue()
    assert "gp-rollout" in shown
    assert count in shown
    assert "best [accuracy] 0.75" in shown
    assert "━" in shown
    assert "/s" in shown
    assert "gp-rollout: 3/4" not in shown


def test_the_pace_is_that_of_late_and_tells_what_is_left(clock):
    pace = Pace()
    assert pace.words(9) == ""
    for step in range(100):
        clock[0] = step * 1.0 if step < 50 else 50 + (step - 50) * 4.0
        pace.note(step)
    assert pace.per_second() == pytest.approx(0.25)
    assert pace.words(30) == "0.25/s, 2 min 0 s left"
    assert pace.words(None) == pace.words(0) == "0.25/s"


def test_work_that_stands_still_has_no_pace(clock):
    pace = Pace()
    pace.note(3)
    clock[0] = 5
    pace.note(3)
    assert pace.words(7) == ""
