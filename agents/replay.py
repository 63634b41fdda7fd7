"""A replay buffer of whole episodes: executed actions, and the final reward for every step."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

Returns = Literal["bootstrap", "monte-carlo"]
BASELINE_WEIGHT = 0.5


class EpisodeReplayBuffer(ReplayBuffer):
    """Stores an episode when it ends, as the environment executed it.

    Every transition carries the episode's final reward (He et al., 2018, 3.3), and the action that
    was executed, not the one that was asked for.

    Args:
        returns: "bootstrap", as published: sampled rewards have a moving average of the batches'
            means subtracted, and targets of all but the last step add the next state's value.
            "monte-carlo": the final reward is the whole return, so every transition counts as
            final; rewards are standardised by all that are stored.

    Raises:
        ValueError: if there are no such returns, or more environments than one.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        returns: Returns = "bootstrap",
    ) -> None:
        if returns not in ("bootstrap", "monte-carlo"):
            raise ValueError(f"returns {returns!r} are unknown; use 'bootstrap' or 'monte-carlo'")
        if n_envs != 1:
            raise ValueError(
                f"the episode replay buffer follows one environment, not {n_envs}; give it one"
            )
        super().__init__(
            buffer_size,
            observation_space,
            action_space,
            device,
            n_envs,
            optimize_memory_usage,
            handle_timeout_termination,
        )
        self.returns = returns
        self.baseline: float | None = None

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Wait for the end of the episode, then store all its transitions."""
        if not done[0]:
            return
        rollout = infos[0]["rollout"]
        last = len(rollout.actions) - 1
        for step, ratio in enumerate(rollout.actions):
            final = step == last or self.returns == "monte-carlo"
            super().add(
                rollout.observations[step][None],
                rollout.observations[step + 1][None],
                np.array([[2 * ratio - 1]], np.float32),
                reward,
                np.array([final]),
                [{}],
            )

    def refill(
        self, states: NDArray[np.float32], actions: NDArray[Any], rewards: NDArray[Any]
    ) -> None:
        """Store these episodes, which were never taken, in place of all others.

        Args:
            states: (episodes, steps + 1, features) before each decision, and after the last.
            actions: (episodes, steps) pruning ratios.
            rewards: (episodes, steps) what each step earns, all later ones included.

        Raises:
            ValueError: if there are more transitions than fit, or returns are not Monte-Carlo.
        """
        count = actions.size
        if count > self.buffer_size or self.returns != "monte-carlo":
            raise ValueError(
                f"the episode replay buffer takes {self.buffer_size} transitions of Monte-Carlo "
                f"returns at once, not {count} of {self.returns} ones; give it fewer"
            )
        self.reset()
        features = states.shape[-1]
        self.observations[:count, 0] = states[:, :-1].reshape(-1, features)
        self.next_observations[:count, 0] = states[:, 1:].reshape(-1, features)
        self.actions[:count, 0, 0] = 2 * actions.reshape(-1) - 1
        self.rewards[:count, 0] = rewards.reshape(-1)
        self.dones[:count] = 1
        self.pos, self.full = count % self.buffer_size, count == self.buffer_size

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A random batch whose rewards are taken relative to the baseline."""
        batch = super().sample(batch_size, env)
        if self.returns == "monte-carlo":
            stored = self.rewards[: self.size()]
            spread = max(float(stored.std()), 1e-6)
            return batch._replace(rewards=(batch.rewards - float(stored.mean())) / spread)
        mean = float(batch.rewards.mean())
        before = mean if self.baseline is None else self.baseline
        self.baseline = before + BASELINE_WEIGHT * (mean - before)
        return batch._replace(rewards=batch.rewards - self.baseline)
