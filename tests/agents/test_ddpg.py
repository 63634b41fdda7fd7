"""The agent: where it starts, how it explores, when and how fast it learns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from scipy import stats
from small_problems import small
from torch import nn

from agents import AgentSettings, AmcDDPG
from agents.exploration import Exploration
from amc import Problem
from amc.rules import uniform
from envs import PruningEnv

FAST = AgentSettings(hidden=16, batch_size=8, updates=2, proposals=0)


class Recorder(PruningEnv):
    """Notes what the agent asks for, rollout by rollout."""

    def reset(self, **settings: Any) -> Any:
        self.rollouts = [*getattr(self, "rollouts", []), []]
        return super().reset(**settings)

    def step(self, action: NDArray[np.float32]) -> Any:
        self.rollouts[-1].append(float(action[0]))
        return super().step(action)


def agent_of(
    problem: Problem,
    settings: AgentSettings = FAST,
    episodes: int = 8,
    warmup: int = 4,
    seed: int = 0,
) -> AmcDDPG:
    plan = Exploration(episodes, warmup, settings.sigma, settings.final_sigma)
    return AmcDDPG(Recorder(problem), settings, plan, seed)


def learn(agent: AmcDDPG, episodes: int) -> list[list[float]]:
    """What the agent asked for in each of that many episodes."""
    env: Any = agent.get_env()
    recorder = env.envs[0].unwrapped
    agent.learn(episodes * len(recorder.problem.graph.groups))
    rollouts: list[list[float]] = recorder.rollouts
    return rollouts[:episodes]


def weights_of(network: nn.Module) -> torch.Tensor:
    return torch.cat([weights.detach().flatten().clone() for weights in network.parameters()])


def answers(agent: AmcDDPG, actor: nn.Module) -> torch.Tensor:
    """(200,) pruning ratios of an actor in any states."""
    states = torch.rand(200, 11, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ratios: torch.Tensor = (actor(states).flatten() + 1) / 2
    return ratios


@pytest.mark.parametrize("kept", [(5, 7, 6), (3, 5, 3), (1, 1, 2)])
def test_the_actor_starts_at_the_mean_ratio_of_the_first_walk(kept: tuple[int, ...]) -> None:
    agent = agent_of(small("macs=0.5"), replace(FAST, hidden=300))
    agent.start_at(kept)
    ratio = 1 - sum(kept) / (6 + 8 + 7)
    for actor in (agent.actor, agent.actor_target):
        assert (answers(agent, actor) - ratio).abs().max() < 0.03


@pytest.mark.parametrize("budget", ["macs=0.3", "params=0.7", "macs=0.5,size=0.4"])
def test_the_first_episode_is_the_uniform_policy_itself(budget: str) -> None:
    problem = small(*budget.split(","), widths=(200, 150, 190))
    agent = agent_of(problem, episodes=1, warmup=0)
    agent.start_at(uniform(problem.limits))
    learn(agent, 1)
    assert problem.outcomes[0].kept == uniform(problem.limits)


def test_an_agent_that_was_given_no_start_explores_from_the_first_episode() -> None:
    (asked,) = learn(agent_of(small("macs=0.5"), episodes=1, warmup=0), 1)
    assert len(set(asked)) == 3


def test_the_warm_up_explores_as_a_truncated_normal_and_not_on_the_bounds() -> None:
    settings = replace(FAST, sigma=0.5, final_sigma=0.1)
    agent = agent_of(small(), settings, episodes=150, warmup=150)
    agent.start_at((4, 6, 5))
    first, *others = learn(agent, 150)
    assert first == pytest.approx([2 / 6, 2 / 8, 2 / 7])
    asked = np.concatenate(others)
    assert ((asked > 0) & (asked < 1)).all()
    mean = 6 / 21
    wanted = stats.truncnorm(-mean / 0.5, (1 - mean) / 0.5, mean, 0.5)
    assert stats.kstest(asked, wanted.cdf).pvalue > 0.01


def test_exploration_narrows_towards_the_end() -> None:
    settings = replace(FAST, sigma=0.3, final_sigma=0.001, actor_lr=1e-9)
    agent = agent_of(small(), settings, episodes=60, warmup=10)
    agent.start_at((3, 4, 4))
    rollouts = np.array(learn(agent, 60))
    assert rollouts[1:10].std() > 0.15
    assert rollouts[-5:].std() < 0.02


def test_it_learns_only_after_the_warm_up() -> None:
    agent = agent_of(small("macs=0.5"), episodes=8, warmup=4)
    before = weights_of(agent.actor), weights_of(agent.critic)
    learn(agent, 4)
    assert torch.equal(weights_of(agent.actor), before[0])
    assert torch.equal(weights_of(agent.critic), before[1])
    agent.learn(3, reset_num_timesteps=False)
    assert not torch.equal(weights_of(agent.actor), before[0])
    assert not torch.equal(weights_of(agent.critic), before[1])


@pytest.mark.parametrize(("updates", "each"), [(5, 5), (0, 0), (-1, 3)])
def test_updates_follow_each_episode_as_many_as_told_or_one_a_group(
    updates: int, each: int
) -> None:
    agent = agent_of(small("macs=0.5"), replace(FAST, updates=updates), episodes=8, warmup=4)
    learn(agent, 8)
    assert agent._n_updates == 4 * each


def test_each_network_learns_at_its_own_rate() -> None:
    agent = agent_of(small("macs=0.5"), replace(FAST, actor_lr=3e-4, critic_lr=7e-3))
    learn(agent, 8)
    assert [group["lr"] for group in agent.actor.optimizer.param_groups] == [3e-4]
    assert [group["lr"] for group in agent.critic.optimizer.param_groups] == [7e-3]


@pytest.mark.parametrize("slow", ["actor", "critic"])
def test_a_rate_near_zero_keeps_only_its_own_network_still(slow: str) -> None:
    rates: dict[str, Any] = {"actor_lr": 1e-2, "critic_lr": 1e-2, f"{slow}_lr": 1e-12}
    agent = agent_of(small("macs=0.5"), replace(FAST, **rates))
    before = {name: weights_of(getattr(agent, name)) for name in ("actor", "critic")}
    learn(agent, 8)
    moved = {
        name: float((weights_of(getattr(agent, name)) - old).abs().max())
        for name, old in before.items()
    }
    assert moved.pop(slow) < 1e-8
    assert min(moved.values()) > 1e-3


def test_after_the_warm_up_rollouts_are_the_proposed_ones_and_none_is_taken_twice() -> None:
    problem = small("macs=0.4", widths=(20, 24, 30))
    agent = agent_of(problem, replace(FAST, proposals=16), episodes=12, warmup=4)
    before = weights_of(agent.actor)
    learn(agent, 12)
    assert len(set(problem.asked)) == len(problem.asked) == 12
    assert not torch.equal(weights_of(agent.actor), before)


def test_an_actor_that_imitates_walks_nearer_to_the_rollout_it_was_shown() -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    agent = agent_of(problem, replace(FAST, hidden=64, imitation=100))
    shown = (6, 20, 24)
    wanted = 1 - np.array(shown) / problem.graph.full
    before = np.abs(agent.actor_rollout() - wanted).mean()
    agent.imitate(shown)
    assert np.abs(agent.actor_rollout() - wanted).mean() < before / 2


def test_it_remembers_what_was_executed() -> None:
    problem = small("macs=0.3")
    agent = agent_of(problem, replace(FAST, sigma=0.5))
    rollouts = learn(agent, 8)
    stored, full = agent.replay_buffer, np.array(problem.graph.full)
    assert stored is not None
    executed = (stored.actions[:24, 0, 0].reshape(8, 3) + 1) / 2
    kept = np.rint(full * (1 - executed)).astype(int)
    assert [tuple(row) for row in kept.tolist()] == problem.asked
    assert np.abs(executed - rollouts).max() > 0.1, "the budget left no action as it was asked"
    earned = [problem.evaluate(row).score - 1 for row in problem.asked[:8]]
    assert pytest.approx(np.array([earned] * 3)) == stored.rewards[:24, 0].reshape(8, 3).T


def test_the_published_agent_has_the_numbers_of_the_paper() -> None:
    published = AgentSettings.published()
    assert (published.sigma, published.actor_lr, published.critic_lr) == (0.5, 1e-4, 1e-3)
    assert (published.hidden, published.batch_size, published.tau) == (300, 64, 0.01)
    assert (published.buffer_size, published.updates) == (2000, -1)
    assert published.proposals == published.longest_warmup == 0
    assert published.warmup == 100 / 400
    assert published.returns == "bootstrap"
    assert not published.start_at_uniform


def test_the_networks_are_those_of_the_paper() -> None:
    agent = agent_of(small("macs=0.5"), AgentSettings.published())
    shapes = [
        [tuple(part.weight.shape) for part in network.modules() if isinstance(part, nn.Linear)]
        for network in (agent.actor.mu, agent.critic.q_networks[0])
    ]
    assert shapes == [[(300, 11), (300, 300), (1, 300)], [(300, 12), (300, 300), (1, 300)]]
    assert len(agent.critic.q_networks) == 1
    assert (agent.gamma, agent.tau, agent.batch_size, agent.buffer_size) == (1, 0.01, 64, 2000)
    assert isinstance(agent.action_space, Box)
