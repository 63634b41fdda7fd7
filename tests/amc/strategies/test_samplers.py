"""Random search, TPE and CMA-ES: they begin uniform, ask once an episode, and learn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from amc.history import Outcome
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import uniform
from amc.rules.projection import project
from amc.strategies import GP, TPE, CmaEs, Evolution, RandomSearch
from amc.strategies.cma_es import NARROWEST
from amc.tasks import Classification
from amc.tasks.samples import Samples

SAMPLERS = {
    "random": RandomSearch,
    "tpe": TPE,
    "gp": GP,
    "cma-es": CmaEs,
    "evolution": Evolution,
}


def perceptron(*widths: int) -> nn.Module:
    sizes = (4, *widths, 2)
    layers: list[nn.Module] = []
    for one, other in pairwise(sizes):
        layers += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def made(budget: str = "macs=0.5", widths: tuple[int, ...] = (60, 60, 60)) -> Problem:
    torch.manual_seed(0)
    images = torch.randn(20, 4)
    budgets = [Budget.parse(budget)] if budget else []
    return Problem(
        perceptron(*widths),
        images[:1],
        budgets,
        task=Classification(None, Samples(images, (images[:, 0] > 0).long())),
    )


@pytest.fixture
def hill(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """Accuracy is highest where the first group is pruned little and the second much."""

    def evaluate(problem: Problem, kept: Sequence[int]) -> Outcome:
        ratios = 1 - np.array(kept) / 60
        accuracy = np.exp(-((ratios[0] - 0.1) ** 2) - (ratios[1] - 0.7) ** 2)
        return problem.record(kept, float(accuracy))

    monkeypatch.setattr(Problem, "evaluate", evaluate)
    return made()


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_first_candidate_is_the_uniform_policy(name: str) -> None:
    problem = made()
    result = SAMPLERS[name](episodes=1).search(problem, seed=0)
    assert [outcome.kept for outcome in result.outcomes] == [uniform(problem.limits)]


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_episode_is_one_candidate_and_repeated_ones_are_not_evaluated_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    evaluate = Problem.evaluate

    def note(problem: Problem, kept: Sequence[int]) -> Outcome:
        asked.append(tuple(kept))
        return evaluate(problem, kept)

    monkeypatch.setattr(Problem, "evaluate", note)
    result = SAMPLERS[name](episodes=25).search(made(widths=(3, 3)), seed=0)
    assert len(asked) == 25
    assert len(result.outcomes) == len(set(asked)) < 25


@pytest.mark.parametrize("name", SAMPLERS)
def test_other_seeds_draw_other_candidates(name: str) -> None:
    problem = made()
    first, second = (
        [outcome.kept for outcome in SAMPLERS[name](episodes=5).search(problem, seed).outcomes]
        for seed in (0, 1)
    )
    assert first[0] == second[0]
    assert first[1:] != second[1:]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_network_with_one_group_has_one_candidate(name: str) -> None:
    result = SAMPLERS[name](episodes=12).search(made(widths=(20,)), seed=0)
    assert len(result.outcomes) == 1


def test_random_candidates_are_uniform_draws_put_onto_the_budget() -> None:
    problem = made()
    result = RandomSearch(episodes=4).search(problem, seed=5)
    draws = np.random.default_rng(5).uniform(size=(3, 3))
    expected = [project(problem.limits, ratios) for ratios in draws]
    assert [outcome.kept for outcome in result.outcomes[1:]] == expected


def mean_of_last(result: Any, some: int = 15) -> float:
    return float(np.mean([outcome.score for outcome in result.outcomes[-some:]]))


@pytest.mark.parametrize("name", ["tpe", "gp", "cma-es", "evolution"])
def test_those_that_learn_end_with_better_candidates_than_chance(name: str, hill: Problem) -> None:
    chance = RandomSearch(episodes=60).search(hill, seed=0)
    learnt = SAMPLERS[name](episodes=60).search(hill, seed=0)
    assert mean_of_last(learnt) > mean_of_last(chance) + 0.02
    assert learnt.best.score >= learnt.outcomes[0].score


def test_a_population_that_has_come_to_rest_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import cmaes

    seeds: list[int] = []

    class Resting(cmaes.CMA):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            seeds.append(settings["seed"])
            super().__init__(**settings)

        def should_stop(self) -> bool:
            return True

    monkeypatch.setattr(cmaes, "CMA", Resting)
    CmaEs(episodes=1 + 3 * 4, population=4).search(made(), seed=0)
    assert len(seeds) == len(set(seeds)) == 4


def sigma_at(budget: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[float, float]:
    """Mean and standard deviation of the first draws."""
    import cmaes

    found: list[tuple[float, float]] = []

    class Noting(cmaes.CMA):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            found.append((float(given["mean"][0]), given["sigma"]))
            super().__init__(**given)

    monkeypatch.setattr(cmaes, "CMA", Noting)
    CmaEs(episodes=1, **settings).search(made(budget), seed=0)
    return found[0]


@pytest.mark.parametrize("budget", ["macs=0.08", "macs=0.15", "macs=0.3", "macs=0.5", "macs=0.9"])
def test_three_deviations_stay_within_what_groups_may_lose(
    budget: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean, sigma = sigma_at(budget, monkeypatch)
    assert sigma == pytest.approx(min(mean, 0.8 - mean) / 3)
    assert sigma_at(budget, monkeypatch, sigma=0.2) == (mean, 0.2)


def test_where_only_the_smallest_network_fits_the_draws_still_have_a_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    smallest = made().limits
    least = smallest.items[0].cost(smallest.smallest) / smallest.items[0].full
    mean, sigma = sigma_at(f"macs={least + 1e-6}", monkeypatch)
    assert mean == pytest.approx(0.8)
    assert sigma == NARROWEST


def test_at_a_tight_budget_few_groups_are_pruned_to_the_largest_ratio() -> None:
    def at_the_end(strategy: CmaEs) -> float:
        problem = made("macs=0.15")
        kept = [one.kept for one in strategy.search(problem, seed=0).outcomes]
        return float((np.array(kept) == problem.limits.smallest).mean())

    assert at_the_end(CmaEs(episodes=40)) < 0.05 < 0.2 < at_the_end(CmaEs(episodes=40, sigma=0.3))


def test_optuna_is_silent_and_its_level_is_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    level = optuna.logging.get_verbosity()
    for sampler in (TPE(episodes=2), GP(episodes=4, startup=2)):
        sampler.search(made(), seed=0)
    assert optuna.logging.get_verbosity() == level
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "package"), [("tpe", "optuna"), ("gp", "optuna"), ("cma-es", "cmaes")]
)
def test_a_missing_library_is_named_with_how_to_install_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"{name} needs {package}.*pip install optuna cmaes"):
        SAMPLERS[name]().search(made(), seed=0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_without_a_budget_there_is_nothing_to_project_onto(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} needs a budget"):
        SAMPLERS[name]().search(made(budget=""), seed=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RandomSearch(0), "random: episodes is 0; it must be 1 or more"),
        (lambda: TPE(0), "tpe: episodes is 0"),
        (lambda: TPE(startup=0), "tpe: startup is 0; it must be 1 or more"),
        (lambda: GP(0), "gp: episodes is 0"),
        (lambda: GP(startup=0), "gp: startup is 0; it must be 1 or more"),
        (lambda: Evolution(0), "evolution: episodes is 0"),
        (lambda: Evolution(parents=0), "evolution: parents is 0; it must be 1 or more"),
        (lambda: CmaEs(0), "cma-es: episodes is 0"),
        (lambda: CmaEs(sigma=-1), "cma-es: sigma is -1; it must be 0 or above"),
        (lambda: CmaEs(population=3), "cma-es: population is 3; it must be 0 or at least 4"),
    ],
)
def test_values_out_of_range_are_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_start_that_takes_branches_out_leaves_the_draws_their_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Drawn around it a hundredth wide, every candidate would be the start itself."""
    from amc.strategies import cma_es

    def start(strategy: str, problem: Problem, episodes: int) -> Any:
        problem.restart()
        return np.array([0.0, 1.0, 0.0])

    monkeypatch.setattr(cma_es, "start_ratios", start)
    problem = made("macs=0.4")
    CmaEs(episodes=30).search(problem, seed=0)
    assert len(problem.outcomes) > 20
