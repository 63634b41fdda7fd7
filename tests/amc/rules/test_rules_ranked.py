"""One ranking over all layers."""

import pytest
import torch
from limit_cases import limits_of, perceptron
from tiny_networks import images, samples, tiny

from amc.costs import Limits
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import GlobalRanking
from amc.rules.ranked import global_counts
from amc.tasks import Classification


def limits(budget: float, **rounding: float) -> Limits:
    # 5 a + a b + 3 b with a = b = 4 is 48.
    return limits_of(perceptron((4, 4)), Budget("macs", budget, relative=False), **rounding)


def test_the_units_of_the_lowest_normalised_scores_go_first() -> None:
    # Both groups have mean 1 once scaled: (.1 .3 .8 2.8) and (.7 .9 1.1 1.3).
    ranking = [torch.tensor([28.0, 1.0, 3.0, 8.0]), torch.tensor([0.07, 0.09, 0.13, 0.11])]
    # Two of the first go (.1 and .3): 10 + 8 + 12 = 30.
    assert global_counts(limits(30), ranking) == (2, 4)
    # Then .7 of the second, and .8 of the first: 5 + 3 + 9 = 17.
    assert global_counts(limits(10 + 6 + 9), ranking) == (2, 3)
    assert global_counts(limits(17), ranking) == (1, 3)


def test_the_scale_of_a_groups_scores_does_not_matter() -> None:
    ranking = [torch.tensor([1.0, 2, 3, 10]), torch.tensor([3.0, 4, 5, 4])]
    scaled = [ranking[0] * 1000, ranking[1]]
    for budget in (20, 30, 40):
        assert global_counts(limits(budget), scaled) == global_counts(limits(budget), ranking)


def test_scores_as_they_are_spare_the_group_of_the_larger_ones() -> None:
    ranking = [torch.tensor([28.0, 1.0, 3.0, 8.0]), torch.tensor([0.07, 0.09, 0.13, 0.11])]
    # Of .07 .09 .11 .13 1 3 8 28 the first three leave (4, 1): 20 + 4 + 3.
    assert global_counts(limits(27), ranking, scaled=False) == (4, 1)
    assert global_counts(limits(27), ranking) == (2, 3)


def test_every_group_keeps_what_the_largest_ratio_leaves_it() -> None:
    ranking = [torch.tensor([0.001, 0.001, 0.001, 100]), torch.tensor([1.0, 1, 1, 1])]
    kept = global_counts(limits(28, max_ratio=0.5), ranking)
    assert kept[0] == 2


def test_scores_that_are_all_zero_go_first() -> None:
    ranking = [torch.zeros(4), torch.tensor([1.0, 2, 3, 4])]
    assert global_counts(limits(5 + 4 + 12), ranking) == (1, 4)


def test_units_of_equal_scores_can_still_be_parted() -> None:
    kept = global_counts(limits(30), [torch.ones(4), torch.ones(4)])
    assert limits(30).fits(kept)
    assert not limits(30).fits((kept[0] + 1, kept[1]))


def test_the_strategy_takes_the_ranking_of_the_problem() -> None:
    problem = Problem(
        tiny("residual"), images(), [Budget("macs", 0.5)], task=Classification(None, samples(30))
    )
    result = GlobalRanking().search(problem, seed=0)
    assert result.best.kept == global_counts(problem.limits, problem.ranking)
    assert result.outcomes == (result.best,)
    plain = GlobalRanking(scaled=False).search(problem, seed=0).best.kept
    assert plain == global_counts(problem.limits, problem.ranking, scaled=False)
    free = Problem(tiny("residual"), images(), [], task=Classification(None, samples(30)))
    with pytest.raises(ValueError, match="global needs a budget"):
        GlobalRanking().search(free, seed=0)
