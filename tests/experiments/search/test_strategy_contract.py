"""What every strategy of the table has to keep; a new entry joins by being in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from amc.costs import COSTS, BudgetError
from amc.granularity import Rounding
from amc.policy import Budget, Policy
from amc.problem import Problem, SearchResult
from amc.pruning import prune
from amc.strategies import STRATEGIES
from amc.tasks import Classification
from amc.tasks.samples import Samples
from experiments.search.strategies import expected_evaluations, make_strategy

EPISODES = 6

# Options that keep the agents and NetAdapt's loop small.
AGENT = {"hidden": 8, "updates": 2, "batch_size": 8}
OPTIONS: dict[str, dict[str, object]] = {
    "gp-rollout": AGENT,
    "ddpg-paper": AGENT,
    "ddpg-imagined": {"imagined": 8, "rounds": 1, "updates": 2, "imitation": 2, "proposals": 8},
    "td3": AGENT,
    "sac": AGENT,
    "netadapt": {"reduction": 0.2, "steps": 1},
    "sensitivity": {"ratios": 2},
    "tpe": {"startup": 3},
    "cma-es": {"population": 4},
    "gp": {"startup": 3},
}

# NetAdapt's result is the network at the end of its loop, whatever came by on the way.
LAST_WINS = ("netadapt",)

BUDGETS = {
    "one budget": ("macs=0.5",),
    "two budgets": ("macs=0.6", "params=0.4"),
    "every cost in its unit": ("macs=3k", "params=1.8k", "size=5kB", "memory=7kB", "energy=1.1uJ"),
    "multiples of 4": ("macs=0.5",),
}


@cache
def data(images: int, seed: int) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((images, 2, 5, 5), generator=generator)
    return Samples(drawn, (drawn[:, 0].mean((1, 2)) > 0).long())


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 12, 3, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Conv2d(12, 16, 3), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 2)),
    )


@cache
def problem(kind: str, copy: int = 0) -> Problem:
    """Shared by all strategies, so that each finds the outcomes of another; or a copy of it."""
    return Problem(
        network(),
        torch.zeros(1, 2, 5, 5),
        [Budget.parse(text) for text in BUDGETS[kind]],
        task=Classification(data(32, 2), data(60, 0), calibration=data(40, 1)),
        rounding=Rounding(round_to=4 if kind == "multiples of 4" else 1),
        positions=4,
    )


@pytest.fixture(scope="session")
def ratios_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ratios") / "ratios.yaml"
    path.write_text('"*": 0.5\n"3": 0.4\n')
    return path


@pytest.fixture(params=STRATEGIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


_found: dict[tuple[str, str], SearchResult] = {}


@pytest.fixture(params=BUDGETS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def search(name: str, asked: Problem, file: Path, seed: int = 3) -> SearchResult:
    options = {"file": str(file)} if name == "manual" else OPTIONS.get(name, {})
    return make_strategy(name, EPISODES, options).search(asked, seed)


def found(name: str, kind: str, file: Path) -> SearchResult:
    """The result on the shared problem; searched once."""
    if (name, kind) not in _found:
        _found[name, kind] = search(name, problem(kind), file)
    return _found[name, kind]


def seen(result: SearchResult) -> list[tuple[object, ...]]:
    """All of a result but how long it took."""
    return [(one.number, one.kept, one.score, dict(one.costs)) for one in result.outcomes]


def test_every_budget_holds_and_every_count_is_legal(
    name: str, kind: str, ratios_file: Path
) -> None:
    best, limits = found(name, kind, ratios_file).best, problem(kind).limits
    for budget in map(Budget.parse, BUDGETS[kind]):
        cost = COSTS[budget.cost](limits.graph)
        assert cost(best.kept) <= budget.absolute(cost(limits.graph.full))
        assert best.costs[budget.cost] == cost(best.kept)
    assert all(count in legal for count, legal in zip(best.kept, limits.counts, strict=True))


def test_the_best_is_the_most_accurate_within_the_budget(
    name: str, kind: str, ratios_file: Path
) -> None:
    result, limits = found(name, kind, ratios_file), problem(kind).limits
    assert result.best in result.outcomes
    fitting = [outcome for outcome in result.outcomes if limits.fits(outcome.kept)]
    if name in LAST_WINS:
        fitting = [outcome for outcome in fitting if outcome.kept == result.best.kept]
    assert result.best.score == max(outcome.score for outcome in fitting)


def test_outcomes_are_numbered_from_zero_and_as_many_as_expected(
    name: str, kind: str, ratios_file: Path
) -> None:
    result = found(name, kind, ratios_file)
    assert [outcome.number for outcome in result.outcomes] == list(range(len(result.outcomes)))
    groups = len(problem(kind).graph.groups)
    most = expected_evaluations(name, EPISODES, groups, OPTIONS.get(name))
    assert most is None or 1 <= len(result.outcomes) <= most


class Branch(nn.Module):
    """Two convolutions that the network goes on without."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(8, inner, 3, padding=1), nn.ReLU(), nn.Conv2d(inner, 8, 3, padding=1)
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.inside(maps)


@cache
def branched() -> Problem:
    torch.manual_seed(0)
    branches = (Branch(inner) for inner in (8, 12, 16))
    model = nn.Sequential(nn.Conv2d(2, 8, 3), *branches, nn.Flatten(), nn.Linear(72, 2))
    task = Classification(data(32, 2), data(60, 0), calibration=data(40, 1))
    example = torch.zeros(1, 2, 5, 5)
    return Problem(model, example, [Budget.parse("macs=0.4")], task=task, positions=4)


@pytest.mark.parametrize("episodes", [1, 2, 4, 13])
def test_where_branches_may_go_no_more_candidates_are_evaluated_than_were_asked_for(
    name: str, tmp_path: Path, episodes: int
) -> None:
    everywhere = tmp_path / "ratios.yaml"
    everywhere.write_text('"*": 0.5\n')
    own: dict[str, dict[str, object]] = {
        "manual": {"file": str(everywhere)},
        "front": {"points": 2, "lowest": 0.3},
    }
    options = own.get(name, OPTIONS.get(name, {}))
    asked = branched()
    assert asked.graph.branches
    result = make_strategy(name, episodes, options).search(asked, 0)
    most = expected_evaluations(name, episodes, len(asked.graph.groups), options)
    assert most is None or 1 <= len(result.outcomes) <= most
    assert asked.limits.fits(result.best.kept)


def test_the_same_seed_gives_the_same_result_whatever_was_searched_before(
    name: str, ratios_file: Path
) -> None:
    first = found(name, "one budget", ratios_file)
    other = problem("one budget", copy=1)
    again = search(name, other, ratios_file)
    assert seen(again) == seen(first)
    assert again.best.kept == first.best.kept
    assert other.outcomes == again.outcomes
    # Once more on a problem that knows all of its candidates.
    assert seen(search(name, other, ratios_file)) == seen(first)


def test_the_policy_can_be_written_read_and_applied(
    name: str, ratios_file: Path, tmp_path: Path
) -> None:
    result, asked = found(name, "one budget", ratios_file), problem("one budget")
    asked.policy(result.best.kept).save(tmp_path / "policy.json")
    policy = Policy.load(tmp_path / "policy.json")
    assert policy.kept == result.best.kept
    smaller = prune(asked.model, policy, asked.example_inputs)
    assert sum(map(torch.Tensor.numel, smaller.parameters())) == result.best.costs["params"]


@cache
def masking(granularity: str, cost: str) -> Problem:
    """A problem at a granularity that sets weights to zero."""
    return Problem(
        network(),
        torch.zeros(1, 2, 5, 5),
        [Budget(cost, 0.65)],
        task=Classification(data(32, 2), data(30, 0), calibration=None),
        granularity=granularity,
    )


MASKING = [
    *(
        (granularity, "params")
        for granularity in ("kernel", "vector", "element", "2:4", "n:4", "channel+element")
    ),
    *(("element", "size"), ("element", "energy"), ("n:4", "energy")),
]
"""Granularities that set weights to zero, and what a budget limits there."""


@pytest.mark.parametrize(("granularity", "cost"), MASKING)
def test_every_granularity_works_with_every_strategy(
    name: str, granularity: str, cost: str, ratios_file: Path
) -> None:
    asked = masking(granularity, cost)
    best = search(name, asked, ratios_file).best
    limit = asked.limits.items[0]
    least = 0.2 if asked.graph.finer else 0.4  # What is masked of what was cut multiplies.
    assert least * limit.full < limit.cost(best.kept) <= 0.65 * limit.full
    assert all(count in legal for count, legal in zip(best.kept, asked.limits.counts, strict=True))
    left = sum(int((weight != 0).sum()) for weight in asked.network(best.kept).parameters())
    assert left <= parameters_left(asked, best.kept)


def parameters_left(asked: Problem, kept: Sequence[int]) -> float:
    """Parameters that are not held at zero."""
    return COSTS["params"](asked.graph)(kept)


def test_a_budget_out_of_reach_is_refused_before_any_strategy_with_the_smallest_in_reach() -> None:
    with pytest.raises(BudgetError, match=r"cannot be reached: the smallest .* has macs=0\.\d+"):
        Problem(
            network(),
            torch.zeros(1, 2, 5, 5),
            [Budget("macs", 0.001)],
            task=Classification(None, data(60, 0)),
        )


@cache
def tight() -> Problem:
    """Only the smallest network holds the budget."""
    limits = problem("one budget").limits
    least = COSTS["macs"](limits.graph)(limits.smallest)
    return Problem(
        network(),
        torch.zeros(1, 2, 5, 5),
        [Budget("macs", least, relative=False)],
        task=Classification(data(32, 2), data(30, 0), calibration=None),
    )


def test_the_smallest_budget_in_reach_is_met(name: str, ratios_file: Path) -> None:
    assert search(name, tight(), ratios_file).best.kept == tight().limits.smallest
