"""The replay buffer: whole episodes as they were executed, and rewards relative to a baseline."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from numpy.testing import assert_allclose

from agents.replay import EpisodeReplayBuffer, Returns
from amc import Outcome
from envs import Episode

OUTCOME = Outcome(0, (1, 1), 0.5, {}, 0.0)


def buffer(returns: Returns, size: int = 100) -> EpisodeReplayBuffer:
    spaces = Box(0, 1, (11,), np.float32), Box(0, 1, (1,), np.float32)
    return EpisodeReplayBuffer(size, *spaces, device="cpu", returns=returns)


def finish(into: EpisodeReplayBuffer, actions: list[float], reward: float) -> Episode:
    """Rollout an episode; what the agent asked for is nonsense, what was executed is `actions`."""
    steps = len(actions)
    states = np.random.default_rng(steps).random((steps + 1, 11), np.float32)
    rollout = Episode(states, np.array(actions, np.float32), OUTCOME)
    for step in range(steps):
        done = step == steps - 1
        info: dict[str, Any] = {"rollout": rollout} if done else {}
        nonsense = np.full((1, 11), 9, np.float32)
        earned = np.array([reward if done else 0.0], np.float32)
        asked = np.array([[9]], np.float32)
        into.add(nonsense, nonsense, asked, earned, np.array([done]), [info])
    return rollout


@pytest.mark.parametrize("returns", ["bootstrap", "monte-carlo"])
def test_every_transition_has_the_executed_action_and_the_final_reward(returns: Returns) -> None:
    stored = buffer(returns)
    rollout = finish(stored, [0.0, 0.25, 0.8], -0.3)
    assert stored.size() == 3
    assert_allclose(stored.actions[:3, 0, 0], [-1, -0.5, 0.6], atol=1e-6)
    assert_allclose(stored.rewards[:3, 0], [-0.3] * 3)
    assert_allclose(stored.observations[:3, 0], rollout.observations[:3])
    assert_allclose(stored.next_observations[:3, 0], rollout.observations[1:])


def test_imagined_episodes_take_the_place_of_all_others() -> None:
    stored = buffer("monte-carlo", size=6)
    finish(stored, [0.0, 0.25, 0.8], -0.3)
    states = np.random.default_rng(0).random((2, 3, 11), np.float32)
    actions = np.array([[0.0, 0.5], [1.0, 0.25]])
    stored.refill(states, actions, np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert stored.size() == 4
    assert_allclose(stored.actions[:4, 0, 0], [-1, 0, 1, -0.5])
    assert_allclose(stored.rewards[:4, 0], [0.1, 0.2, 0.3, 0.4])
    assert_allclose(stored.observations[:4, 0], states[:, :-1].reshape(-1, 11))
    assert_allclose(stored.next_observations[:4, 0], states[:, 1:].reshape(-1, 11))
    assert (stored.dones[:4] == 1).all()
    with pytest.raises(ValueError, match="takes 6 transitions"):
        stored.refill(np.zeros((4, 3, 11), np.float32), np.zeros((4, 2)), np.zeros((4, 2)))


def test_nothing_is_stored_before_the_episode_ends() -> None:
    stored = buffer("bootstrap")
    state, none = np.zeros((1, 11), np.float32), np.zeros(1, np.float32)
    stored.add(state, state, np.zeros((1, 1), np.float32), none, np.array([False]), [{}])
    assert stored.size() == 0


@pytest.mark.parametrize(
    ("returns", "final"),
    [("bootstrap", [0, 0, 1, 0, 1]), ("monte-carlo", [1, 1, 1, 1, 1])],
)
def test_which_transitions_end_the_return(returns: Returns, final: list[int]) -> None:
    stored = buffer(returns)
    finish(stored, [0.1, 0.2, 0.3], -0.1)
    finish(stored, [0.1, 0.2], -0.1)
    assert stored.dones[:5, 0].tolist() == final


def test_a_moving_average_of_the_batches_is_subtracted() -> None:
    # Of two transitions, so that each episode takes the place of the one before it.
    stored = buffer("bootstrap", size=2)
    finish(stored, [0.1, 0.2], -0.4)
    assert_allclose(stored.sample(8).rewards, 0, atol=1e-6)  # starts at -0.4
    finish(stored, [0.1, 0.2], -0.2)
    assert_allclose(stored.sample(8).rewards, 0.1, atol=1e-6)  # half way: -0.3
    assert_allclose(stored.sample(8).rewards, 0.05, atol=1e-6)  # -0.25
    finish(stored, [0.1, 0.2], -0.6)
    assert_allclose(stored.sample(8).rewards, -0.175, atol=1e-6)  # -0.425
    assert stored.baseline == pytest.approx(-0.425)
    assert_allclose(stored.rewards, -0.6)


def test_monte_carlo_rewards_are_standardised_by_all_that_are_stored() -> None:
    stored = buffer("monte-carlo")
    finish(stored, [0.1, 0.2], -0.4)
    finish(stored, [0.3, 0.4], -0.2)  # mean -0.3, standard deviation 0.1
    batch = stored.sample(50)
    assert batch.rewards.shape == (50, 1)
    for action, reward in zip(batch.actions.flatten(), batch.rewards.flatten(), strict=True):
        assert float(reward) == pytest.approx(-1 if action < -0.5 else 1, abs=1e-4)


def test_equal_rewards_stay_finite() -> None:
    stored = buffer("monte-carlo")
    finish(stored, [0.1, 0.2], -0.4)
    assert_allclose(stored.sample(8).rewards, 0, atol=1e-6)


def test_a_full_buffer_forgets_the_oldest() -> None:
    stored = buffer("bootstrap", size=4)
    for reward in (-0.1, -0.2, -0.3):
        finish(stored, [0.1, 0.2], reward)
    assert_allclose(stored.rewards[:, 0], [-0.3, -0.3, -0.2, -0.2])


def test_unknown_returns_are_refused() -> None:
    wrong: Any = "montecarlo"
    with pytest.raises(ValueError, match="returns 'montecarlo' are unknown; use 'bootstrap' or"):
        buffer(wrong)


def test_several_environments_are_refused() -> None:
    spaces = Box(0, 1, (11,), np.float32), Box(0, 1, (1,), np.float32)
    with pytest.raises(ValueError, match="follows one environment, not 2"):
        EpisodeReplayBuffer(100, *spaces, n_envs=2)
