"""The environment: the contract of two libraries, and budgets that hold whatever an agent does."""

import re
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import IMAGE, Case, cases, network, networks, problem, roundings
from stable_baselines3.common.env_checker import check_env as check_env_of_stable_baselines3
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from amc import Budget, BudgetError, Rounding
from envs import ENV_ID, Episode, PruningEnv
from envs.rewards import REWARDS

HALF = Budget("macs", 0.5)


def small() -> nn.Sequential:
    return network(6, [("residual", 5), ("separable", 8)])


def walked(env: PruningEnv, actions: tuple[float, ...]) -> tuple[Episode, list[Any]]:
    """A whole episode; its rollout, and everything that `step` returned."""
    env.reset()
    steps = [env.step(np.array([ratio], np.float32)) for ratio in actions]
    return steps[-1][4]["rollout"], steps


@pytest.mark.parametrize("model", [small(), network(7, [])], ids=["small", "one group"])
def test_it_passes_gymnasium_s_check(model: nn.Module) -> None:
    made = gymnasium.make(ENV_ID, problem=problem(model, HALF))
    check_env(made.unwrapped)


@pytest.mark.parametrize("seed", range(5))
def test_where_a_rollout_would_end_is_where_it_ends(seed: int) -> None:
    env = PruningEnv(problem(small(), HALF))
    ratios = np.random.default_rng(seed).random(len(env.problem.graph.groups)).astype(np.float32)
    (end,) = env.rollout_ends([ratios])
    assert env.problem.outcomes == ()
    episode, _ = walked(env, tuple(ratios.tolist()))
    assert episode.outcome.kept == end
    assert np.array_equal(episode.observations, env.states(end))


def test_a_rule_acts_as_an_agent_would() -> None:
    env = PruningEnv(problem(small(), HALF))
    ratios = env.rollout(lambda state: float(state[:9].mean()))
    state, _ = env.reset()
    for ratio in ratios:
        assert ratio == float(state[:9].mean())
        state, *_ = env.step(np.array([ratio]))


def test_it_passes_stable_baselines3_s_check() -> None:
    with warnings.catch_warnings():
        # Its advice is meant for Gaussian policies; a ratio has no use for negative numbers.
        warnings.filterwarnings("ignore", "We recommend you to use a symmetric and normalized Box")
        check_env_of_stable_baselines3(PruningEnv(problem(small(), HALF)))


def test_it_is_made_by_its_name_with_all_of_its_settings() -> None:
    asked = problem(small(), HALF)
    made = gymnasium.make(ENV_ID, problem=asked, reward="flops")
    assert ENV_ID == "amc/Pruning-v0"
    assert isinstance(made.unwrapped, PruningEnv)
    assert made.unwrapped.problem is asked
    made.reset(seed=0)
    rewards = [made.step(np.array([0.5], np.float32))[1] for _ in asked.graph.groups]
    assert rewards == [*[0.0] * (len(rewards) - 1), REWARDS["flops"](asked.outcomes[0])]


@pytest.mark.parametrize("name", ["DDPG", "TD3", "SAC"])
def test_agents_of_stable_baselines3_work_unchanged(name: str) -> None:
    searched = problem(small(), HALF)
    env = gymnasium.make(ENV_ID, problem=searched)
    agent = getattr(stable_baselines3, name)(
        "MlpPolicy",
        env,
        learning_starts=20,
        batch_size=8,
        buffer_size=100,
        policy_kwargs={"net_arch": [8, 8]},
        seed=0,
        device="cpu",
    )
    agent.learn(40)
    assert len(searched.outcomes) > 1
    assert all(searched.limits.fits(outcome.kept) for outcome in searched.outcomes)


def test_the_reward_comes_once_with_the_end_of_the_walk() -> None:
    searched = problem(small(), HALF)
    rollout, steps = walked(PruningEnv(searched), (0.3, 0.6, 0.2))
    assert [terminated for _, _, terminated, _, _ in steps] == [False, False, True]
    assert not any(truncated for _, _, _, truncated, _ in steps)
    assert [reward for _, reward, _, _, _ in steps] == [0, 0, rollout.outcome.score - 1]
    assert searched.outcomes == (rollout.outcome,)


def test_each_step_tells_the_executed_action_at_once() -> None:
    searched = problem(small(), HALF)
    rollout, steps = walked(PruningEnv(searched), (0.0, 0.0, 0.0))
    kept, full = rollout.outcome.kept, searched.graph.full
    assert [info["kept"] for *_, info in steps] == list(kept)
    assert kept[0] == full[0], "the first group may still stay whole"
    assert kept != full
    for number, (seen, *_, info) in enumerate(steps):
        assert info["executed"] == 1 - kept[number] / full[number]
        assert seen[10] == pytest.approx(info["executed"])
        assert np.array_equal(seen, rollout.observations[number + 1])


def test_a_new_rollout_starts_from_nothing() -> None:
    env = PruningEnv(problem(small(), HALF))
    first, _ = env.reset(seed=3)
    env.step(np.array([0.7], np.float32))
    again, _ = env.reset()
    assert np.array_equal(first, again)
    assert walked(env, (0.2, 0.2, 0.2))[0].outcome == walked(env, (0.2, 0.2, 0.2))[0].outcome


def test_an_action_beyond_the_bounds_counts_as_the_bound() -> None:
    env = PruningEnv(problem(small()))
    assert walked(env, (-3.0, 7.0, 0.0))[0].outcome == walked(env, (0.0, 1.0, 0.0))[0].outcome


def test_an_action_that_is_no_number_is_refused() -> None:
    env = PruningEnv(problem(small(), HALF))
    env.reset()
    with pytest.raises(ValueError, match="action for group '0' is nan"):
        env.step(np.array([np.nan], np.float32))


def test_a_step_after_the_end_is_refused() -> None:
    env = PruningEnv(problem(network(4, []), HALF))
    walked(env, (0.5,))
    with pytest.raises(ValueError, match="the rollout is over; reset it"):
        env.step(np.array([0.5], np.float32))


def counted(model: nn.Module) -> dict[str, float]:
    """MACs and parameters of a network as PyTorch itself counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(IMAGE))
    return {
        "macs": counter.get_total_flops() / 2,
        "params": sum(weights.numel() for weights in model.parameters()),
    }


@settings(max_examples=25, deadline=None, derandomize=True)
@given(case=cases())
def test_whatever_the_agent_does_the_budget_holds(case: Case) -> None:
    searched = case.problem
    rollout, _ = walked(PruningEnv(searched), case.actions)
    kept, full = rollout.outcome.kept, searched.graph.full
    assert all(count in legal for count, legal in zip(kept, searched.limits.counts, strict=True))
    assert kept == tuple(searched.graph.settled(kept))
    really = counted(searched.network(kept))
    for item in searched.limits.items:
        assert really[item.name] <= item.most
    # What the last state says was reduced is what is really gone, and nothing is left to do.
    unpruned = searched.costs["macs"](full)
    assert rollout.observations[-1, 8] == pytest.approx(1 - really["macs"] / unpruned, abs=1e-6)
    assert rollout.observations[-1, 9] == 0
    assert rollout.actions == pytest.approx(1 - np.array(kept) / np.array(full))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(networks(), roundings, st.sampled_from(["macs", "params"]), st.floats(0.01, 0.99))
def test_an_impossible_budget_is_refused_naming_the_smallest_possible_one(
    model: nn.Module, rounding: Rounding, name: str, part: float
) -> None:
    free = problem(model, rounding=rounding)
    least = free.costs[name](free.limits.smallest) / free.costs[name](free.graph.full)
    with pytest.raises(BudgetError) as refusal:
        problem(model, Budget(name, part * least), rounding=rounding)
    named = re.search(rf"has ({name}=[0-9.]+) ", str(refusal.value))
    assert named is not None
    smallest = Budget.parse(named[1])
    assert smallest.limit == pytest.approx(least, abs=1.01e-4)
    reached, _ = walked(
        PruningEnv(problem(model, smallest, rounding=rounding)), (0.0,) * len(free.graph.groups)
    )
    assert reached.outcome.costs[name] <= smallest.absolute(free.costs[name](free.graph.full))
