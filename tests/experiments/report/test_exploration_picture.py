"""How far a search strays from its best."""

from collections.abc import Callable

import numpy as np
import pytest

from amc.history import Outcome
from experiments.report.comparison import compare
from experiments.report.exploration import (
    distances,
    exploration_picture,
    explores,
    smooth,
)
from experiments.runs.results import RunResult

Made = Callable[..., RunResult]


def seen(at: int, kept: tuple[int, ...], accuracy: float, macs: float = 5e5) -> Outcome:
    return Outcome(at, kept, accuracy, {"macs": macs}, float(at))


def test_each_candidate_is_compared_with_the_best_before_it(made: Made) -> None:
    path = (
        seen(0, (8, 16, 32), 0.5),
        seen(1, (16, 16, 32), 0.4),  # 0.5 of the first group away from number 0
        seen(2, (8, 32, 32), 0.6),  # 0.5 of the second away from number 0: the best from here
        seen(3, (8, 32, 64), 0.1),  # 0.5 of the third away from number 2
    )
    assert distances(made(evaluations=path)) == pytest.approx([0.5 / 3] * 3)


def test_until_the_budget_is_met_the_one_before_is_compared(made: Made) -> None:
    path = (
        seen(0, (16, 32, 64), 0.9, 9e5),
        seen(1, (16, 32, 32), 0.9, 8e5),
        seen(2, (16, 32, 16), 0.9, 4e5),
    )
    assert distances(made(evaluations=path)) == pytest.approx([0.5 / 3, 0.25 / 3])


def test_smoothing_takes_what_came_before_alone() -> None:
    assert smooth(np.array([4.0, 0, 0, 0, 0, 0])) == pytest.approx([4, 2, 4 / 3, 1, 0.8, 0])


def test_the_picture_tells_where_exploration_began_and_ended(made: Made) -> None:
    calm = tuple(seen(at, (8, 16, 32 + 32 * (at < 5)), 0.5 + at / 100) for at in range(20))
    comparison = compare([made(evaluations=calm), made("uniform", [0.8])])[0]
    assert [explores(run) for run in comparison.runs] == [True, False]
    picture = exploration_picture(comparison, "k")
    assert [key.label for key in picture.keys] == ["gp-rollout"]
    assert "gp-rollout from 0.0% to 0.0%, at most 3.3%" in picture.svg
