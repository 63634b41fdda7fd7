"""One search for every budget: within each of them, and never worse than uniform ratios there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from amc.history import Outcome
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import uniform
from amc.strategies import Front, best_within
from amc.tasks import Classification
from amc.tasks.samples import Samples

FAST = {"points": 4, "proposals": 8}


def problem(budget: str = "macs=0.9") -> Problem:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for one, other in pairwise((4, 60, 60, 60, 2)):
        layers += [nn.Linear(one, other), nn.ReLU()]
    images = torch.randn(20, 4)
    return Problem(
        nn.Sequential(*layers[:-1]),
        images[:1],
        [Budget.parse(one) for one in budget.split(",")],
        task=Classification(None, Samples(images, (images[:, 0] > 0).long())),
    )


@pytest.fixture
def hill(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """The second group matters little, the first and the last much."""

    def evaluate(asked: Problem, kept: Sequence[int]) -> Outcome:
        key = tuple(map(int, kept))
        known = asked.history.recall(key)
        left = np.array(key) / 60
        score = 1 - (0.4 * (1 - left[0]) ** 2 + 0.02 * (1 - left[1]) + 0.3 * (1 - left[2]) ** 2)
        return known or asked.history.remember(asked.record(key, float(score)))

    monkeypatch.setattr(Problem, "evaluate", evaluate)
    return problem()


def test_at_every_budget_it_is_ahead_of_uniform_ratios(hill: Problem) -> None:
    search = Front(episodes=120, **FAST)
    result = search.search(hill, seed=0)
    levels = search.levels(hill.limits)
    assert len(result.outcomes) <= 120
    gains = []
    for limits in levels:
        best = best_within(result.outcomes, limits)
        assert best is not None
        assert limits.fits(best.kept)
        gains.append(best.score - hill.evaluate(uniform(limits)).score)
    assert min(gains) >= 0
    assert max(gains) > 0.05


def test_more_budget_never_scores_less_and_the_best_is_within_the_largest(hill: Problem) -> None:
    search = Front(episodes=60, **FAST)
    result = search.search(hill, seed=1)
    scores = [best_within(result.outcomes, one) for one in search.levels(hill.limits)]
    merits = [one.merit for one in scores if one is not None]
    assert merits == sorted(merits)
    assert result.best.merit == merits[-1]
    assert hill.limits.fits(result.best.kept)


def test_budgets_are_even_and_begin_with_what_is_in_reach() -> None:
    limits = problem().limits
    (first,) = limits.items
    levels = Front(lowest=0.3, points=4).levels(limits)
    parts = [one.items[0].most / first.full for one in levels]
    assert parts == pytest.approx([0.3, 0.5, 0.7, 0.9])
    least = first.cost(limits.smallest)
    out_of_reach = Front(lowest=1e-6).levels(limits)[0]
    assert out_of_reach.items[0].most == least


def test_other_budgets_hold_everywhere() -> None:
    asked = problem("macs=0.9,params=0.6")
    levels = Front(**FAST).levels(asked.limits)
    assert {one.items[1].most for one in levels} == {asked.limits.items[1].most}
    result = Front(episodes=12, **FAST).search(asked, seed=0)
    most = asked.limits.items[1].most
    assert all(one.costs["params"] <= most for one in result.outcomes)


def test_the_same_seed_finds_the_same(hill: Problem) -> None:
    found = [Front(episodes=30, **FAST).search(hill, seed=3).outcomes for _ in range(2)]
    assert [one.kept for one in found[0]] == [one.kept for one in found[1]]


def test_a_network_with_nothing_left_to_try_ends_early() -> None:
    images = torch.randn(20, 4)
    task = Classification(None, Samples(images, (images[:, 0] > 0).long()))
    small = Problem(
        nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)),
        images[:1],
        [Budget("macs", 0.9)],
        task=task,
    )
    assert len(Front(episodes=300).search(small, seed=0).outcomes) <= 5


def test_racing_against_candidates_of_other_budgets_is_refused() -> None:
    asked = problem()
    raced = Problem(
        asked.model, asked.example_inputs, [Budget("macs", 0.9)], asked.task, racing=0.01
    )
    with pytest.raises(ValueError, match="front: racing stops candidates that are worse"):
        Front(**FAST).search(raced, seed=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"episodes": 0}, "front: episodes is 0; it must be 1 or more"),
        ({"lowest": 1.0}, "front: lowest is 1.0; it must be above 0 and below 1"),
        ({"points": 1}, "front: points is 1; it must be 2 to 1000"),
        ({"proposals": 0}, "front: proposals is 0; it must be 1 or more"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Front(**settings)  # type: ignore[arg-type]
