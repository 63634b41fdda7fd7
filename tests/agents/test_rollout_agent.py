"""Other algorithms of stable-baselines3 in DDPG's place, through the same code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_problems import known, small
from stable_baselines3 import DDPG, SAC, TD3
from test_ddpg import FAST, Recorder, answers, learn, weights_of

from agents import AgentSettings, DDPGSearch, is_algorithm
from agents.exploration import Exploration
from agents.rollout_agent import rollout_agent
from amc.rules import uniform

every_algorithm = pytest.mark.parametrize("algorithm", [DDPG, TD3, SAC])


def agent_of(
    algorithm: Any, settings: AgentSettings = FAST, episodes: int = 8, warmup: int = 4
) -> Any:
    plan = Exploration(episodes, warmup, settings.sigma, settings.final_sigma)
    env = Recorder(small("macs=0.5"))
    return rollout_agent(algorithm)(env, settings, plan, seed=0)


@every_algorithm
def test_the_actor_starts_at_the_mean_ratio_of_the_first_walk(algorithm: Any) -> None:
    agent = agent_of(algorithm, replace(FAST, hidden=300))
    agent.start_at((4, 6, 5))
    states = torch.rand(200, 11, generator=torch.Generator().manual_seed(0))
    asked, _ = agent.predict(states.numpy(), deterministic=True)
    assert np.abs(asked - 6 / 21).max() < 0.03


def test_the_target_of_an_algorithm_that_has_one_starts_there_too() -> None:
    agent = agent_of(TD3, replace(FAST, hidden=300))
    agent.start_at((4, 6, 5))
    assert (answers(agent, agent.actor_target) - 6 / 21).abs().max() < 0.03


@every_algorithm
def test_its_own_updates_begin_after_the_warm_up(algorithm: Any) -> None:
    agent = agent_of(algorithm)
    before = weights_of(agent.actor), weights_of(agent.critic)
    learn(agent, 4)
    assert torch.equal(weights_of(agent.actor), before[0])
    agent.learn(3, reset_num_timesteps=False)
    assert not torch.equal(weights_of(agent.actor), before[0])
    assert not torch.equal(weights_of(agent.critic), before[1])


@every_algorithm
def test_the_actor_can_imitate(algorithm: Any) -> None:
    agent = agent_of(algorithm, replace(FAST, imitation=300, actor_lr=3e-3))
    kept = (2, 6, 3)
    agent.imitate(kept)
    states = agent._pruning.states(kept)[:-1]
    asked, _ = agent.predict(states, deterministic=True)
    assert asked[:, 0] == pytest.approx([4 / 6, 2 / 8, 4 / 7], abs=0.05)


@every_algorithm
def test_the_first_episode_is_the_uniform_policy_and_the_same_seed_the_same_search(
    algorithm: Any,
) -> None:
    search = DDPGSearch(8, settings=FAST, algorithm=algorithm)
    results = [search.search(small("macs=0.4", widths=(20, 24, 30)), seed) for seed in (3, 3, 4)]
    kept = [[outcome.kept for outcome in result.outcomes] for result in results]
    assert kept[0] == kept[1] != kept[2]
    assert kept[0][0] == uniform(small("macs=0.4", widths=(20, 24, 30)).limits)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_it_learns_where_to_prune(algorithm: Any) -> None:
    settings = replace(AgentSettings(), sigma=0.3, updates=10, hidden=32, critic_lr=3e-3)
    settings = replace(settings, longest_warmup=20)
    problem = known()
    DDPGSearch(50, settings=settings, algorithm=algorithm).search(problem, 0)
    warm_up, learnt = problem.accuracies[:12], problem.accuracies[-10:]
    assert np.mean(learnt) > np.mean(warm_up) + 0.3


def test_rollouts_can_be_proposed_whatever_the_algorithm() -> None:
    problem = known()
    found = DDPGSearch(30, settings=AgentSettings(hidden=16), algorithm=SAC).search(problem, 0)
    assert np.abs(np.subtract(found.best.kept, problem.wanted)).max() <= 4


def test_what_an_algorithm_is() -> None:
    assert is_algorithm(TD3)
    assert not is_algorithm(DDPGSearch)
    assert not is_algorithm(TD3.__name__)
