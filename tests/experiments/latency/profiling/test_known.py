"""Parts that an earlier profile timed are timed again only to see how fast the machine is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from exported import Exported

from amc.granularity import Rounding
from experiments.latency import clock
from experiments.latency.profiling.known import ANCHORS, Known, anchors_of, at_this_pace
from experiments.latency.profiling.measuring import measure
from experiments.latency.profiling.plan import PART, Plan, plan_of


def timing(seconds: float) -> clock.Timing:
    return {"seconds": seconds, "spread": seconds / 10, "typical": 1.1 * seconds}


def test_what_was_known_takes_as_long_as_the_machine_is_slow_now() -> None:
    old = {f"{number}": timing(1.0 + number) for number in range(ANCHORS + 5)}
    again = [f"{number}" for number in range(ANCHORS)]
    found = at_this_pace(old, {name: timing(1.5 * old[name]["seconds"]) for name in again})
    assert found is not None
    assert list(found) == [f"{number}" for number in range(ANCHORS, ANCHORS + 5)]
    assert found["16"]["seconds"] == pytest.approx(1.5 * 17)
    assert found["16"]["typical"] == pytest.approx(1.1 * 1.5 * 17)


def test_programs_that_do_not_agree_tell_nothing_of_the_others() -> None:
    old = {f"{number}": timing(1.0) for number in range(ANCHORS + 5)}
    uneven = {f"{number}": timing(1.0 + 0.02 * number) for number in range(ANCHORS)}
    assert at_this_pace(old, uneven) is None
    few = {f"{number}": timing(1.0) for number in range(ANCHORS - 1)}
    assert at_this_pace(old, few) is None


def test_some_of_many_are_timed_again_and_always_the_same() -> None:
    names = [f"{number}" for number in range(500)]
    assert len(anchors_of(names)) == 50
    assert anchors_of(names) == anchors_of(names[::-1])
    assert len(anchors_of(names[:20])) == ANCHORS
    assert anchors_of([]) == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the programs of each call of a clock by which all take as long as is said."""
    calls: list[list[str]] = []

    def measured(
        names: Sequence[str], ready: Callable[[str], Any], *others: object
    ) -> tuple[dict[str, clock.Timing], float]:
        calls.append(list(names))
        return {name: timing(1e-3) for name in names}, 0.01

    monkeypatch.setattr(clock, "measure", measured)
    return calls


def plan(small: Exported, round_to: int) -> Plan:
    return plan_of(small.template, Rounding(round_to), fed=True)


def test_a_second_profile_of_the_same_layers_times_less(
    small: Exported, tmp_path: Path, asked: list[list[str]]
) -> None:
    known = Known(tmp_path / "deep" / "parts.jsonl")
    given = ("onnxruntime", 1, lambda done: None)
    first = measure(plan(small, 1), *given, known=known)
    again = measure(plan(small, 1), *given, known=known)
    parts = [[name for name in names if name.startswith(PART)] for names in asked]
    assert set(again.timings) == set(first.timings) == set(asked[0])
    assert len(parts[1]) == max(ANCHORS, round(0.1 * len(parts[0]))) < len(parts[0]) / 2
    others = [name for name in asked[0] if not name.startswith(PART)]
    assert set(others) <= set(asked[1]), "whole networks are timed each time"


def test_one_of_other_layers_times_them(
    small: Exported, tmp_path: Path, asked: list[list[str]]
) -> None:
    known = Known(tmp_path / "parts.jsonl")
    given = ("onnxruntime", 1, lambda done: None)
    measure(plan(small, 8), *given, known=known)
    wider = measure(plan(small, 1), *given, known=known)
    assert set(wider.timings) == set(plan(small, 1).programs())
    assert len(asked) == 2
