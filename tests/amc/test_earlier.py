"""What earlier searches leave to a new one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import amc
from amc import Budget, Problem, Samples
from amc.earlier import TRIED, Earlier
from amc.history import Outcome
from amc.problem import Strategy
from amc.rules import uniform
from amc.strategies import CmaEs, Evolution, Front, RandomSearch, ResidualGP
from amc.tasks import Classification


def data() -> Samples:
    torch.manual_seed(1)
    inputs = torch.randn(80, 6)
    return Samples(inputs, (inputs[:, :3] > 0).sum(1) % 3)


def problem(budget: str = "macs=0.3") -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 3)
    )
    task = Classification(None, data(), calibration=data())
    return Problem(model, data().inputs[:1], [Budget.parse(budget)], task=task)


def outcome(kept: tuple[int, ...], merit: float) -> Outcome:
    return Outcome(0, kept, merit, {}, 0.0)


def test_what_is_better_than_its_cost_lets_expect_is_tried_first() -> None:
    limits = problem("macs=0.5").limits
    line = [((30, 20), 0.9), ((24, 16), 0.8), ((18, 12), 0.6), ((12, 8), 0.4)]
    outcomes = tuple(outcome(kept, merit) for kept, merit in line)
    clever = outcome((17, 13), 0.85)
    assert Earlier((*outcomes, clever)).worth_trying(limits, 2)[0] == clever.kept
    suggested = Earlier(outcomes, policies=((5, 5),)).worth_trying(limits)
    assert suggested[0] == (5, 5)
    assert len(suggested) == len(set(suggested)) <= TRIED


def test_the_nearest_by_cost_are_learned_from() -> None:
    limits = problem("macs=0.5").limits
    costs = [(30, 20), (20, 15), (3, 2)]
    near = Earlier(tuple(outcome(kept, 0.5) for kept in costs)).nearest(limits, 2)
    uses = [abs(np.log(limits.use(one.kept))) for one in near]
    assert uses == sorted(uses)
    assert (3, 2) not in [one.kept for one in near]


@pytest.mark.parametrize("kept", [(30,), (31, 20), (-1, 20)])
def test_kept_counts_of_another_network_are_refused(kept: tuple[int, ...]) -> None:
    for earlier in (Earlier((outcome(kept, 0.5),)), Earlier(policies=(kept,))):
        with pytest.raises(ValueError, match="are of another network, this one has 30,20"):
            problem().with_earlier(earlier)


BEGINNING: tuple[Callable[[], Strategy], ...] = (
    lambda: ResidualGP(12),
    lambda: RandomSearch(12),
    lambda: Evolution(12),
    lambda: CmaEs(12),
    lambda: Front(12, points=2),
)


@pytest.mark.parametrize("made", BEGINNING)
def test_searches_begin_with_what_is_known_and_evaluate_no_more(
    made: Callable[[], Strategy],
) -> None:
    before = RandomSearch(30).search(problem("macs=0.5"), 0)
    asked = problem().with_earlier(Earlier(before.outcomes))
    result = made().search(asked, 0)
    assert len(result.outcomes) <= 12
    assert asked.limits.fits(result.best.kept)
    assert uniform(asked.limits) in [one.kept for one in result.outcomes[:4]]
    alone = made().search(problem(), 0)
    assert [one.kept for one in alone.outcomes] != [one.kept for one in result.outcomes]
    again = made().search(problem().with_earlier(Earlier(before.outcomes)), 0)
    assert [one.kept for one in again.outcomes] == [one.kept for one in result.outcomes]


def test_the_best_of_the_same_budget_is_found_again_at_once() -> None:
    """Among the five that are tried first."""
    before = ResidualGP(40).search(problem(), 0)
    result = ResidualGP(8).search(problem().with_earlier(Earlier(before.outcomes)), 1)
    assert result.best.merit >= before.best.merit


def test_in_python_outcomes_are_handed_on() -> None:
    model, samples = problem().model, data()
    task = Classification(None, samples, calibration=samples)
    first = amc.search(model, samples.inputs[:1], task, budget="macs=0.5", episodes=10)
    second = amc.search(
        *(model, samples.inputs[:1], task), budget="macs=0.4", episodes=6, earlier=first.outcomes
    )
    assert len(second.outcomes) <= 6
    assert second.problem.earlier.outcomes == first.outcomes
