"""Ratios by hand: patterns of layer names, scaled onto the budget or taken as they are."""

import math
from typing import Any

import pytest
from tiny_networks import images, samples, tiny

from amc.costs import BudgetError
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import Manual, match_ratios, project
from amc.tasks import Classification


def test_patterns_set_the_ratio_of_the_groups_whose_layers_they_match(resnet8: Any) -> None:
    found = match_ratios(resnet8.graph, {"stages.1.*": 0.5, "stem.0": 0.2})
    assert found.tolist() == [0.2, 0, 0.5, 0.5, 0, 0]


def test_any_layer_of_a_group_may_be_named(resnet8: Any) -> None:
    found = match_ratios(resnet8.graph, {"*.shortcut.0": 0.3})
    assert found.tolist() == [0, 0, 0, 0.3, 0, 0.3]


def test_the_last_pattern_that_matches_counts(resnet8: Any) -> None:
    found = match_ratios(resnet8.graph, {"*": 0.5, "*.conv1": 0.1})
    assert found.tolist() == [0.5, 0.1, 0.1, 0.5, 0.1, 0.5]
    found = match_ratios(resnet8.graph, {"*.conv1": 0.1, "*": 0.5})
    assert found.tolist() == [0.5] * 6


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan, math.inf])
def test_a_ratio_out_of_range_is_refused(ratio: float, resnet8: Any) -> None:
    with pytest.raises(ValueError, match=f"'stem.0' is {ratio}; it must lie in"):
        match_ratios(resnet8.graph, {"stem.0": ratio})


@pytest.mark.parametrize("pattern", ["stem", "Stem.0", "classifier.*", "stages.9.*", ""])
def test_a_pattern_without_a_match_is_refused_and_the_layers_named(
    pattern: str, resnet8: Any
) -> None:
    with pytest.raises(ValueError, match="matches no prunable layer") as raised:
        match_ratios(resnet8.graph, {"stem.0": 0.5, pattern: 0.5})
    assert repr(pattern) in str(raised.value)
    assert "layers: stem.0, stages.0.0.conv1" in str(raised.value)


def test_a_pattern_of_a_layer_that_cannot_be_pruned_gets_the_reason(resnet8: Any) -> None:
    (last,) = resnet8.graph.fixed
    with pytest.raises(ValueError, match="matches no prunable layer") as raised:
        match_ratios(resnet8.graph, {last.name: 0.5})
    assert f"({last.name} stays whole: {last.reason})" in str(raised.value)


@pytest.fixture
def problem() -> Problem:
    return Problem(
        tiny("residual"), images(), [Budget("macs", 0.5)], task=Classification(None, samples(50))
    )


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


def test_a_layer_without_a_ratio_stays_whole_when_scaled(problem: Problem) -> None:
    result = Manual({"conv1": 0.2}).search(problem, seed=0)
    assert result.best.kept[1] == problem.graph.full[1]
    assert result.best.kept[0] < problem.graph.full[0]
