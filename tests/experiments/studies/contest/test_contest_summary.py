"""Means, verdicts and bars of a contest, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.studies.contest.reporting import Progress
from experiments.studies.contest.searching import Record
from experiments.studies.contest.study import Contender, Study
from experiments.studies.contest.summary import Mean, heights, verdicts
from experiments.studies.contest.tables import contest

CELL = ("net", "macs=0.3")


def record(contender: str, asked: int, seed: int, other: float, **changes: object) -> Record:
    made: dict[str, object] = {
        **{"network": "net", "budget": "macs=0.3", "contender": contender, "asked": asked},
        **{"seed": seed, "made": asked or 1, "accuracy": other + 0.01, "other": other},
        **{"kept": (1,), "curve": ((1, other),), "seconds": 2.0, "settings": {}, "images": {}},
    }
    return Record(**{**made, **changes})


def study() -> Study:
    names = ("residual-gp", "tpe", "cma-es", "uniform")
    contenders = tuple(map(Contender.of_name, names))
    return Study(contenders, ("net",), ("macs=0.3",), (100, 300), (0, 1, 2))


def found(gp: float, tpe: float, cma: float, spread: float, asked: int = 300) -> list[Record]:
    """Three seeds of each, `spread` apart."""
    means = {"residual-gp": gp, "tpe": tpe, "cma-es": cma}
    return [
        record(name, asked, seed, mean + (seed - 1) * spread)
        for name, mean in means.items()
        for seed in range(3)
    ]


def test_a_mean_has_students_interval() -> None:
    # t of 0.975 at 2 degrees is 4.3027, and the standard error 0.01 / sqrt(3).
    mean = Mean.of([0.80, 0.81, 0.82])
    assert mean.mean == pytest.approx(0.81)
    assert mean.half == pytest.approx(4.3027 * 0.01 / 3**0.5, rel=1e-4)
    assert str(mean) == "0.8100 ± 0.0248"
    assert str(Mean.of([0.5])) == "0.5000"
    assert not Mean.of([0.5]).apart(mean)


@pytest.mark.parametrize(
    ("values", "word", "as_good", "better"),
    [
        ((0.90, 0.80, 0.85, 0.001), "better than all", True, True),
        # At 4 degrees of freedom the interval is 2.7764 * 0.01 * (2 / 3) ** 0.5 = 0.0227.
        ((0.90, 0.80, 0.876, 0.010), "better than all", True, True),
        ((0.90, 0.80, 0.878, 0.010), "higher than all, by what chance may give", True, False),
        ((0.90, 0.80, 0.89, 0.010), "higher than all, by what chance may give", True, False),
        ((0.890, 0.80, 0.892, 0.010), "equal", True, False),
        ((0.890, 0.80, 0.894, 0.010), "worse", False, False),
        ((0.890, 0.80, 0.892, 0.0001), "worse", False, False),
    ],
)
def test_verdicts(
    values: tuple[float, float, float, float], word: str, as_good: bool, better: bool
) -> None:
    (verdict,) = verdicts(study(), found(*values), "other")
    assert verdict.best_rival == "cma-es"
    assert verdict.difference == pytest.approx(values[0] - values[2])
    assert (verdict.as_good, verdict.better) == (as_good, better)
    assert f"| {word} |" in contest(study(), found(*values))


def test_a_bar_is_known_only_when_every_cell_is() -> None:
    assert contest(study(), []) == "Nothing was run yet."
    told = contest(study(), found(0.9, 0.8, 0.85, 0.001))
    assert "- 300 evaluations, at least as good (equal: intervals overlap" in told
    assert "in 1 of 1 cells, 1 wanted: met." in told
    assert "in 1 of 1 cells, 2 wanted: not met." in told
    assert "- 100 evaluations, higher than all: in 0 of 1 cells, 2 wanted: not yet known." in told


def test_a_rule_stands_in_one_line_with_as_many_evaluations_as_it_made() -> None:
    rule = record("uniform", 0, 0, 0.7, made=1)
    lines = contest(study(), [rule]).splitlines()
    (line,) = [line for line in lines if line.startswith("| `uniform`")]
    assert line == "| `uniform` | 1 | 0.7100 | 0.7000 | 1 | 2 |"


def test_heights_stay_where_the_last_rise_left_them() -> None:
    curve = ((2, 0.5), (4, 0.75))
    reached = heights(record("gp-rollout", 100, 0, 0.75, curve=curve), 6)
    np.testing.assert_array_equal(reached, [np.nan, 0.5, 0.5, 0.75, 0.75, 0.75])


def test_the_time_left_comes_from_how_fast_each_kind_was() -> None:
    tasks = study().tasks(["residual-gp", "tpe", "seed=0"])
    progress = Progress(tasks)
    assert len(tasks) == 2
    progress.line(tasks[0], [record("residual-gp", 300, 0, 0.9, seconds=60.0)])
    # 300 evaluations of tpe at 0.2 s, and twice the time of the search went by meanwhile.
    assert progress.left(120.0) == pytest.approx(120.0)
    progress.line(tasks[1], [record("tpe", 300, 0, 0.9, seconds=30.0)])
    assert progress.left(1.0) == 0
