"""Shallow and deep: straight ramps over the depth of the network."""

from typing import Any

import numpy as np
import pytest
from limit_cases import limits_of, perceptron
from tiny_networks import images, samples, tiny
from torch import nn

from amc.policy import Budget
from amc.problem import Problem
from amc.rules import Deep, Shallow
from amc.rules.depth import depths
from amc.rules.projection import project
from amc.tasks import Classification
from amc.tracing.build import trace


def test_depth_is_the_middle_of_a_layers_place_among_all_weighted_layers() -> None:
    # Three hidden layers and the last, which no group decides.
    assert depths(perceptron((7, 7, 7))).tolist() == [1 / 8, 3 / 8, 5 / 8]


def test_a_group_lies_at_the_mean_of_its_layers_and_norms_do_not_count() -> None:
    # conv1 and conv3 go together around conv2; the linear layer comes fourth.
    graph = trace(tiny("residual"), images())
    assert [group.layers for group in graph.groups] == [("conv1", "conv3"), ("conv2",)]
    assert depths(graph) == pytest.approx([3 / 8, 3 / 8])


def ratios(ramp: Shallow | Deep, problem: Problem) -> Any:
    kept = ramp.search(problem, seed=0).best.kept
    return 1 - np.array(kept) / problem.graph.full


@pytest.fixture
def problem() -> Problem:
    wide = nn.Sequential(
        *(nn.Flatten(), nn.Linear(192, 40), nn.ReLU()),
        *(nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 4)),
    )
    return Problem(wide, images(), [Budget("macs", 0.6)], task=Classification(None, samples(20)))


def test_shallow_prunes_early_groups_more_and_deep_late_ones(problem: Problem) -> None:
    shallow, deep = ratios(Shallow(), problem), ratios(Deep(), problem)
    assert shallow[0] > deep[0]
    assert deep[1] > shallow[1]
    assert deep[1] > deep[0]


def test_the_ramps_are_straight() -> None:
    limits = limits_of(perceptron((1000, 1000, 1000)), Budget("macs", 0.6), max_ratio=0.95)
    deep = depths(limits.graph)
    found = 1 - np.array(project(limits, deep)) / 1000
    assert found / found[0] == pytest.approx([1, 3, 5], rel=0.02)
    found = 1 - np.array(project(limits, 1 - deep)) / 1000
    assert found / found[0] == pytest.approx([1, 5 / 7, 3 / 7], rel=0.02)


@pytest.mark.parametrize("ramp", [Shallow(), Deep()])
def test_without_a_budget_there_is_nothing_to_scale_to(ramp: Shallow | Deep) -> None:
    free = Problem(tiny("perceptron"), images(), [], task=Classification(None, samples(20)))
    with pytest.raises(ValueError, match=f"{type(ramp).__name__.lower()} needs a budget"):
        ramp.search(free, seed=0)
