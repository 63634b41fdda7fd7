"""Which searches a contest runs, in which order, and which of them can be shared."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amc.policy import Budget
from amc.problem import Problem
from amc.tasks import Classification
from amc.tasks.samples import Samples
from experiments.studies.contest.study import RULES, Contender, Study, begins_as, courses

SMALL_AGENT = {"longest_warmup": 2, "warmup": 0.4, "hidden": 8, "proposals": 4}


def tiny() -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Linear(4, 96), nn.ReLU(), nn.Linear(96, 80), nn.ReLU(), nn.Linear(80, 3))
    )
    inputs = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    holdout = Samples(inputs, torch.arange(50) % 3)
    return Problem(
        model, inputs[:1], [Budget.parse("macs=0.4")], task=Classification(None, holdout)
    )


def rollouts(contender: Contender, episodes: int) -> list[tuple[int, ...]]:
    """Every candidate of a search, in order."""
    result = contender.make(episodes).search(tiny(), 5)
    return [outcome.kept for outcome in result.outcomes]


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        *(("gp-rollout", SMALL_AGENT), ("residual-gp", {}), ("evolution", {}), ("gp", {})),
        *(("random", {}), ("tpe", {}), ("cma-es", {})),
    ],
)
def test_a_shared_search_goes_the_way_of_the_shorter_one(strategy: str, options: dict) -> None:
    contender = Contender(strategy, strategy, options)
    assert courses(contender, (6, 9)) == [(6, 9)]
    short = rollouts(contender, 6)
    assert rollouts(contender, 9)[: len(short)] == short


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("ddpg-paper", {"hidden": 8}),
        ("gp-rollout", {**SMALL_AGENT, "longest_warmup": 0}),
        ("gp-rollout", {**SMALL_AGENT, "proposals": 0, "warmup": 0.0}),
    ],
)
def test_what_plans_for_its_length_is_run_for_each(strategy: str, options: dict) -> None:
    contender = Contender(strategy, strategy, options)
    assert courses(contender, (6, 9)) == [(9,), (6,)]
    short = rollouts(contender, 6)
    assert rollouts(contender, 9)[: len(short)] != short


def test_the_agent_shares_where_its_warm_up_is_as_long() -> None:
    gp = Contender.of_name("gp-rollout")
    assert courses(gp, (100, 300)) == [(100, 300)]
    assert courses(gp, (50, 300)) == [(300,), (50,)]
    assert not begins_as(gp.make(100), Contender("other", "gp-rollout", {"imitation": 5}).make(300))


def study() -> Study:
    budgets = ("macs=0.3", "macs=0.15")
    return Study(Contender.all(), ("resnet20", "mobilenet-v1"), budgets, seeds=(0, 1))


def test_one_seed_is_whole_before_the_next_begins() -> None:
    tasks, labels = study().tasks(), {one.label for one in Contender.all()}
    seeds = [task.seed for task in tasks]
    assert seeds == sorted(seeds)
    first = [task for task in tasks if task.seed == 0]
    # These plan for their length, and have a search for each number of evaluations.
    planned = {task.contender.label for task in first if task.evaluations == (100,)}
    assert planned == {"ddpg", "ddpg-paper", "knapsack"}
    assert len(first) == 4 * (len(labels) + len(planned))
    assert {task.contender.label for task in first} == labels
    # Rules find the same whatever the seed.
    assert len(tasks) - len(first) == 4 * (len(labels) - len(RULES) + len(planned))


def test_only_keeps_what_is_named_of_each_kind() -> None:
    kept = study().tasks(["gp-rollout", "tpe", "macs=0.15", "seed=1"])
    assert {(task.contender.label, task.network) for task in kept} == {
        *(("gp-rollout", "resnet20"), ("gp-rollout", "mobilenet-v1")),
        *(("tpe", "resnet20"), ("tpe", "mobilenet-v1")),
    }
    assert {(task.budget, task.seed) for task in kept} == {("macs=0.15", 1)}


def test_a_mistyped_word_is_refused_with_what_was_meant() -> None:
    with pytest.raises(LookupError, match="mobilenet-v1"):
        study().tasks(["mobilnet-v1"])
