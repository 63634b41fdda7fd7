"""Ratio rules: they hold the budget, use it up, and keep the proportions asked for."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_networks import images, samples, tiny
from torch import nn

from amc.costs import COSTS, BudgetError, Limits
from amc.granularity import Rounding
from amc.graph import trace
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import (
    Manual,
    Uniform,
    _filled,
    bisect,
    matched_ratios,
    project,
    uniform,
    uniform_policy,
)
from amc.structure import PruningGraph


@cache
def perceptron(widths: tuple[int, ...]) -> PruningGraph:
    """Linear layers with these numbers of hidden units, each a group."""
    sizes = (5, *widths, 3)
    layers = (nn.Linear(one, other) for one, other in pairwise(sizes))
    return trace(nn.Sequential(*layers), torch.zeros(1, 5))


def limits_of(graph: PruningGraph, *budgets: Budget, **rounding: Any) -> Limits:
    return Limits.of(graph, budgets, COSTS, Rounding(**rounding))


@dataclass(frozen=True)
class Case:
    """Limits that can be met, and ratios to start from."""

    limits: Limits
    ratios: list[float]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    widths = draw(st.lists(st.sampled_from([1, 2, 3, 7, 16, 33, 64]), min_size=1, max_size=4))
    rounding = Rounding(draw(st.sampled_from([1, 2, 8])), draw(st.floats(0.1, 0.95)))
    graph = perceptron(tuple(widths))
    free = Limits.of(graph, [], COSTS, rounding)
    budgets = []
    for name in draw(st.lists(st.sampled_from(sorted(COSTS)), min_size=1, unique=True)):
        cost = COSTS[name](graph)
        least = cost(free.smallest) / cost(graph.full)
        budgets.append(Budget(name, min(1.0, draw(st.floats(least, 1)) * (1 + 1e-12))))
    ratios = draw(st.lists(st.floats(0, 1), min_size=len(widths), max_size=len(widths)))
    return Case(Limits.of(graph, budgets, COSTS, rounding), ratios)


@given(cases())
@settings(deadline=None)
def test_projected_counts_are_legal_and_hold_every_budget(case: Case) -> None:
    kept = project(case.limits, case.ratios)
    assert case.limits.fits(kept)
    assert all(count in legal for count, legal in zip(kept, case.limits.counts, strict=True))


@given(cases())
@settings(deadline=None)
def test_only_a_group_that_was_already_given_one_more_could_take_another(case: Case) -> None:
    limits = case.limits
    ratios = np.minimum(limits.rounding.max_ratio, np.asarray(case.ratios))
    down = limits.rounding.below(limits.graph.full, ratios)
    assume(limits.fits(down.tolist()))
    kept = _filled(limits, ratios)
    assert limits.fits(kept)
    for number, legal in enumerate(limits.counts):
        following = [count for count in legal if count > down[number]][:1]
        assert kept[number] in (down[number], *following)
        if following and kept[number] == down[number]:
            more = (*kept[:number], *following, *kept[number + 1 :])
            assert not limits.fits(more)


@given(cases())
@settings(deadline=None)
def test_the_budget_is_used_up_to_one_step_of_every_group(case: Case) -> None:
    kept = project(case.limits, case.ratios)
    one_more = [
        min((count for count in legal if count > have), default=have)
        for have, legal in zip(kept, case.limits.counts, strict=True)
    ]
    assert tuple(one_more) == case.limits.graph.full or not case.limits.fits(one_more)


@given(cases())
@settings(deadline=None)
def test_only_the_proportions_of_the_ratios_matter(case: Case) -> None:
    assume(min(case.ratios) > 0.01)
    halved = [ratio / 2 for ratio in case.ratios]
    assert project(case.limits, halved) == project(case.limits, case.ratios)


def test_the_proportions_are_kept() -> None:
    limits = limits_of(perceptron((1000, 1000, 1000)), Budget("macs", 0.6), max_ratio=0.9)
    kept = np.array(project(limits, [0.1, 0.2, 0.4]))
    ratios = 1 - kept / 1000
    assert ratios[1] / ratios[0] == pytest.approx(2, rel=0.01)
    assert ratios[2] / ratios[0] == pytest.approx(4, rel=0.01)


def test_a_group_at_its_largest_ratio_leaves_the_rest_to_the_others() -> None:
    limits = limits_of(perceptron((1000, 1000, 1000)), Budget("macs", 0.2), max_ratio=0.7)
    kept = project(limits, [0.1, 0.2, 0.8])
    assert kept[2] in (300, 301)
    assert (1000 - kept[1]) / (1000 - kept[0]) == pytest.approx(2, rel=0.01)


def test_the_group_that_lost_most_by_rounding_gets_the_next_unit_first() -> None:
    limits = limits_of(perceptron((10, 10)), Budget("params", 10_000, relative=False))
    # Wanted are 5.2 and 5.9: with room for everything, both rise by one.
    assert _filled(limits, np.array([0.48, 0.41])) == (6, 6)
    params = COSTS["params"](limits.graph)
    room_for_one = max(params((5, 6)), params((6, 5)))
    assert room_for_one < params((6, 6))
    tight = limits_of(limits.graph, Budget("params", room_for_one, relative=False))
    assert _filled(tight, np.array([0.48, 0.41])) == (5, 6)


def test_without_a_budget_ratios_are_only_rounded() -> None:
    limits = limits_of(perceptron((10, 20)), max_ratio=0.75)
    assert project(limits, [0.24, 0.0]) == (8, 20)
    assert project(limits, [1.0, 0.5]) == (3, 10)


def test_a_budget_of_everything_keeps_everything() -> None:
    limits = limits_of(perceptron((10, 33)), Budget("macs", 1.0))
    assert project(limits, [0.3, 0.9]) == (10, 33)


def test_groups_that_were_to_stay_are_pruned_if_the_others_do_not_suffice() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.1), max_ratio=0.9)
    # With a = 10 kept of the first, 5 a + a b + 3 b <= 1080 leaves b = 79 of the second.
    assert project(limits, [0.5, 0.0]) == (10, 79)


def test_a_family_that_never_fits_is_refused() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.3))
    with pytest.raises(BudgetError, match="cannot meet the budget even at their largest scale"):
        bisect(limits, lambda scale: np.array([0.3, 0.3]) * scale)


def test_bisection_finds_the_mildest_member() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.3))
    kept = bisect(limits, lambda scale: np.array([0.8, 0.8]) * scale)
    milder = tuple(count + 1 for count in kept)
    assert limits.fits(kept)
    assert not limits.fits(milder)


@given(cases())
@settings(deadline=None)
def test_uniform_is_uniform_but_for_rounding(case: Case) -> None:
    limits = case.limits
    kept = uniform(limits)
    step = limits.rounding.round_to
    full = np.array(limits.graph.full)
    fewest = np.array(limits.smallest)
    # A group's ratio is known to within two steps: rounded down, then perhaps raised.
    low = np.where(np.array(kept) > fewest, 1 - (np.array(kept) + step) / full, 1 - kept / full)
    high = 1 - (np.array(kept) - step) / full
    # One that the bound on its ratio held at its fewest may have been raised from there.
    second = np.array([counts[:2][-1] for counts in limits.counts])
    high = np.where(np.array(kept) <= second, np.inf, high)
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
    assert policy.origin["budget"] == "macs=0.5 params=0.3"


def test_the_uniform_policy_refuses_what_cannot_be_reached(resnet8: Any) -> None:
    with pytest.raises(BudgetError, match=r"budget macs=0\.001 cannot be reached"):
        uniform_policy(resnet8.graph, Budget.parse("macs=0.001"))


def test_patterns_set_the_ratio_of_the_groups_whose_layers_they_match(resnet8: Any) -> None:
    found = matched_ratios(resnet8.graph, {"stages.1.*": 0.5, "stem.0": 0.2})
    assert found.tolist() == [0.2, 0, 0.5, 0.5, 0, 0]


def test_any_layer_of_a_group_may_be_named(resnet8: Any) -> None:
    found = matched_ratios(resnet8.graph, {"*.shortcut.0": 0.3})
    assert found.tolist() == [0, 0, 0, 0.3, 0, 0.3]


def test_the_last_pattern_that_matches_counts(resnet8: Any) -> None:
    found = matched_ratios(resnet8.graph, {"*": 0.5, "*.conv1": 0.1})
    assert found.tolist() == [0.5, 0.1, 0.1, 0.5, 0.1, 0.5]
    found = matched_ratios(resnet8.graph, {"*.conv1": 0.1, "*": 0.5})
    assert found.tolist() == [0.5] * 6


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan, math.inf])
def test_a_ratio_out_of_range_is_refused(ratio: float, resnet8: Any) -> None:
    with pytest.raises(ValueError, match=f"'stem.0' is {ratio}; it must lie in"):
        matched_ratios(resnet8.graph, {"stem.0": ratio})


@pytest.mark.parametrize("pattern", ["stem", "Stem.0", "classifier.*", "stages.9.*", ""])
def test_a_pattern_without_a_match_is_refused_and_the_layers_named(
    pattern: str, resnet8: Any
) -> None:
    with pytest.raises(ValueError, match="matches no prunable layer") as raised:
        matched_ratios(resnet8.graph, {"stem.0": 0.5, pattern: 0.5})
    assert repr(pattern) in str(raised.value)
    assert "layers: stem.0, stages.0.0.conv1" in str(raised.value)


@pytest.fixture
def problem() -> Problem:
    return Problem(tiny("residual"), images(), [Budget("macs", 0.5)], holdout=samples(50))


def test_the_uniform_strategy_evaluates_the_uniform_policy_alone(problem: Problem) -> None:
    result = Uniform().search(problem, seed=0)
    assert result.best.kept == uniform(problem.limits)
    assert result.outcomes == (result.best,)


def test_manual_ratios_are_scaled_onto_the_budget(problem: Problem) -> None:
    result = Manual({"conv1": 0.1, "conv2": 0.2}).search(problem, seed=0)
    assert problem.limits.fits(result.best.kept)
    assert result.best.kept == project(problem.limits, [0.1, 0.2])
    assert result.outcomes == (result.best,)


def test_manual_ratios_are_taken_as_they_are_if_asked_for(problem: Problem) -> None:
    result = Manual({"*": 0.5}, scale=False).search(problem, seed=0)
    # Half of 5 is as close to 2 as to 3.
    assert result.best.kept == (3, 3)


def test_manual_ratios_that_exceed_the_budget_say_by_how_much(problem: Problem) -> None:
    with pytest.raises(BudgetError, match=r"they leave macs=\d\.\d+ of the network, above the"):
        Manual({"conv2": 0.1}, scale=False).search(problem, seed=0)


@pytest.mark.parametrize("strategy", [Uniform(), Manual({"conv1": 0.5})])
def test_a_second_search_starts_anew(strategy: Any, problem: Problem) -> None:
    first = strategy.search(problem, seed=0)
    second = strategy.search(problem, seed=1)
    assert second.best.kept == first.best.kept
    assert len(second.outcomes) == len(problem.outcomes) == 1
    assert second.best.number == 0
