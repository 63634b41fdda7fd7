"""The search as a strategy: what it promises whatever its settings are."""

import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_problems import known, small

from agents import AgentSettings, DDPGSearch
from amc import Outcome, Problem, SearchResult
from amc.rules import uniform

FAST = AgentSettings(hidden=16, batch_size=8, updates=2, proposals=0)
ALL_SETTINGS = {
    "default": AgentSettings(hidden=16, proposals=8),
    "without proposals": FAST,
    "published": replace(AgentSettings.published(), hidden=16, batch_size=8),
    "bootstrap": replace(FAST, returns="bootstrap"),
}
all_settings = pytest.mark.parametrize("settings", ALL_SETTINGS.values(), ids=ALL_SETTINGS)


def wide() -> Problem:
    """One on which hardly two rollouts end alike."""
    problem: Problem = small("macs=0.5", widths=(20, 24, 30))
    return problem


def found(result: SearchResult) -> list[tuple[tuple[int, ...], float]]:
    return [(outcome.kept, outcome.score) for outcome in result.outcomes]


@all_settings
def test_the_same_seed_gives_the_same_search_and_another_seed_another(
    settings: AgentSettings,
) -> None:
    searches = [found(DDPGSearch(12, settings=settings).search(wide(), seed)) for seed in (3, 3, 4)]
    assert searches[0] == searches[1] != searches[2]


def test_the_same_problem_can_be_searched_again() -> None:
    problem, search = small("macs=0.5"), DDPGSearch(8, settings=FAST)
    assert found(search.search(problem, 0)) == found(search.search(problem, 0))


def test_what_others_draw_neither_matters_nor_changes() -> None:
    first = found(DDPGSearch(8, settings=FAST).search(small("macs=0.5"), 0))
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    wanted = torch.rand(3), np.random.rand(3), random.random()
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    problem = small("macs=0.5")
    torch.manual_seed(99)
    again = found(DDPGSearch(8, settings=FAST).search(problem, 0))
    assert torch.equal(torch.rand(3), wanted[0])
    assert np.array_equal(np.random.rand(3), wanted[1])
    assert random.random() == wanted[2]
    assert again == first


def test_the_global_generators_come_back_even_after_an_error() -> None:
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    on_gpus = torch.cuda.get_rng_state_all()
    problem = small("macs=0.5")
    torch.set_rng_state(before[0])

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    problem = problem.with_history(on_outcome=fail)
    with pytest.raises(KeyboardInterrupt):
        DDPGSearch(8, settings=FAST).search(problem, 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], before[1])
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), on_gpus))


@all_settings
@pytest.mark.parametrize("budgets", [("macs=0.5",), ("macs=0.6", "params=0.4"), ("macs=0.13",)])
def test_every_episode_asks_once_and_meets_the_budgets(
    settings: AgentSettings, budgets: tuple[str, ...]
) -> None:
    problem = small(*budgets)
    result = DDPGSearch(15, settings=settings).search(problem, 0)
    assert len(problem.asked) == 15
    assert [outcome.kept for outcome in result.outcomes] == list(dict.fromkeys(problem.asked))
    assert all(problem.limits.fits(outcome.kept) for outcome in result.outcomes)
    assert result.best.score == max(outcome.score for outcome in result.outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_by_default_the_result_is_never_worse_than_uniform(seed: int) -> None:
    problem = small("macs=0.3", widths=(60, 50, 40))
    result = DDPGSearch(6).search(problem, seed)
    assert result.outcomes[0].kept == uniform(problem.limits)
    assert result.best.score >= result.outcomes[0].score


def test_a_search_leaves_nothing_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    DDPGSearch(2, settings=FAST).search(small("macs=0.5"), 0)
    assert list(tmp_path.iterdir()) == []


def test_one_episode_is_a_search() -> None:
    assert len(DDPGSearch(1).search(small("macs=0.5"), 0).outcomes) == 1


def test_one_group_is_enough() -> None:
    problem = small("macs=0.5", widths=(9,))
    assert DDPGSearch(6, settings=FAST).search(problem, 0).best.kept <= (4,)


class SlightlyBetterWhole(Problem):
    """Pruning costs hardly any accuracy: the most accurate candidate is the one pruned least."""

    def evaluate(self, kept: Sequence[int]) -> Outcome:
        return self.record(kept, 0.5 + 0.1 * float(np.mean(np.divide(kept, self.graph.full))))


@pytest.mark.parametrize(("reward", "cost"), [("flops", "macs"), ("params", "params")])
def test_without_a_budget_what_earned_most_wins_and_not_what_was_pruned_least(
    reward: str, cost: str
) -> None:
    problem = small(kind=SlightlyBetterWhole)
    settings = replace(FAST, sigma=0.5, final_sigma=0.5)
    result = DDPGSearch(15, reward=reward, settings=settings).search(problem, 0)
    costs = [outcome.costs[cost] for outcome in result.outcomes]
    assert result.best.costs[cost] == min(costs) < max(costs)


@pytest.mark.parametrize("seed", [0, 1])
def test_by_default_it_finds_the_best_of_a_smooth_problem(seed: int) -> None:
    problem = known()
    result = DDPGSearch(30).search(problem, seed)
    assert np.abs(np.subtract(result.best.kept, problem.wanted)).max() <= 3


@pytest.mark.parametrize("seed", [0, 1])
def test_it_learns_where_to_prune(seed: int) -> None:
    settings = AgentSettings(
        warmup=0.3,
        sigma=0.3,
        final_sigma=0.05,
        returns="monte-carlo",
        start_at_uniform=True,
        actor_lr=1e-3,
        critic_lr=3e-3,
        updates=10,
        hidden=32,
        batch_size=64,
        proposals=0,
        longest_warmup=0,
    )
    problem = known()
    DDPGSearch(100, settings=settings).search(problem, seed)
    warm_up, learnt = problem.accuracies[:30], problem.accuracies[-10:]
    assert np.mean(learnt) > np.mean(warm_up) + 0.2


def test_a_search_without_episodes_is_refused() -> None:
    with pytest.raises(ValueError, match="episodes is 0; it must be 1 or more"):
        DDPGSearch(0)


def test_a_misspelt_reward_is_answered_with_the_closest_name() -> None:
    with pytest.raises(LookupError, match="did you mean 'flops'"):
        DDPGSearch(5, reward="flop").search(small(), 0)
