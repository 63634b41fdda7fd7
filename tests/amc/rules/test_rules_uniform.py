"""The uniform rule: one ratio everywhere, but for rounding."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from limit_cases import Case, cases, limits_of, perceptron
from tiny_networks import images, samples, tiny
from torch import nn

from amc.costs import COSTS, BudgetError
from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.pruning import decisions
from amc.rules import Uniform, uniform, uniform_policy
from amc.rules.projection import ROUNDS
from amc.tasks import Classification


@given(cases())
@settings(max_examples=40)
def test_uniform_is_uniform_but_for_rounding(case: Case) -> None:
    limits = case.limits
    kept = uniform(limits)
    step = limits.rounding.round_to
    full = np.array(limits.graph.full)
    fewest = np.array(limits.smallest)
    # Rounded down by less than a step, then perhaps raised by a few.
    low = np.where(np.array(kept) > fewest, 1 - (np.array(kept) + step) / full, 1 - kept / full)
    high = 1 - (np.array(kept) - ROUNDS * step) / full
    # One that the bound on its ratio held at its fewest may have been raised from there.
    raised = np.array([counts[: ROUNDS + 1][-1] for counts in limits.counts])
    high = np.where(np.array(kept) <= raised, np.inf, high)
    smaller_only_at_their_end = np.where(np.array(kept) == fewest, -np.inf, low)
    assert smaller_only_at_their_end.max() <= high.min() + 1e-9


def test_uniform_by_hand() -> None:
    limits = limits_of(perceptron((100, 200)), Budget("macs", 0.25))
    kept = uniform(limits)
    # 5 a + 2 a b + 3 * 2 b with a = 100 x and b = 200 x is a quarter of all at x close to 1/2.
    assert kept[0] == pytest.approx(49, abs=1)
    assert kept[1] == pytest.approx(2 * kept[0], abs=2)


def test_the_uniform_policy_says_where_it_comes_from(resnet8: Any) -> None:
    policy = uniform_policy(resnet8.graph, Budget.parse("macs=0.5"))
    assert policy.kept == uniform(limits_of(resnet8.graph, Budget.parse("macs=0.5")))
    assert [choice.name for choice in policy.groups] == [g.name for g in resnet8.graph.groups]
    assert policy.origin == {"strategy": "uniform", "budget": "macs=0.5"}
    assert COSTS["macs"](resnet8.graph)(policy.kept) <= 0.5 * COSTS["macs"](resnet8.graph)(
        resnet8.graph.full
    )


def test_the_uniform_policy_takes_several_budgets_and_a_rounding(resnet8: Any) -> None:
    budgets = [Budget.parse("macs=0.5"), Budget.parse("params=30%")]
    policy = uniform_policy(resnet8.graph, budgets, Rounding(round_to=2))
    params = COSTS["params"](resnet8.graph)
    assert params(policy.kept) <= 0.3 * params(resnet8.graph.full)
    assert all(count % 2 == 0 for count in policy.kept)
    assert policy.origin["budget"] == "macs=0.5,params=0.3"


def test_the_uniform_policy_keeps_to_what_its_granularity_allows() -> None:
    net, example = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), torch.zeros(1, 16)
    pattern = uniform_policy(decisions(net, example, "2:4"), Budget.parse("params=0.9"))
    assert sorted(pattern.kept) == [2, 4]
    single = uniform_policy(decisions(net, example, "element"), Budget.parse("params=0.1"))
    assert sum(single.kept) <= 0.1 * (16 * 32 + 32 * 4)


def test_the_uniform_policy_refuses_what_cannot_be_reached(resnet8: Any) -> None:
    with pytest.raises(BudgetError, match=r"budget macs=0\.001 cannot be reached"):
        uniform_policy(resnet8.graph, Budget.parse("macs=0.001"))


def test_without_a_budget_there_is_no_uniform_policy(resnet8: Any) -> None:
    with pytest.raises(ValueError, match="uniform needs a budget to come down to"):
        uniform_policy(resnet8.graph, [])
    free = Problem(tiny("residual"), images(), [], task=Classification(None, samples(50)))
    with pytest.raises(ValueError, match="uniform needs a budget to come down to"):
        Uniform().search(free, seed=0)


@pytest.fixture
def problem() -> Problem:
    return Problem(
        tiny("residual"), images(), [Budget("macs", 0.5)], task=Classification(None, samples(50))
    )


def test_the_uniform_strategy_evaluates_the_uniform_policy_alone(problem: Problem) -> None:
    result = Uniform().search(problem, seed=0)
    assert result.best.kept == uniform(problem.limits)
    assert result.outcomes == (result.best,)
