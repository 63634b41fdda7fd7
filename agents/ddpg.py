"""The agent: DDPG as AMC uses it, on stable-baselines3.

He et al., "AMC: AutoML for Model Compression", ECCV 2018, 3.3 and 4.1; `Settings.published()` is
that agent. Departures of the default settings:

1. Returns are Monte-Carlo: all transitions of an episode earn its final reward and the discount is
   1, so the final reward is the return. The published target adds the next state's value to a
   reward that already is the return; its bias drives the actor into saturation.
2. Rewards are standardised, instead of having a moving baseline subtracted.
3. Actions are projected onto the budget together when the episode ends, instead of being clipped
   one by one, which prunes late layers harder than early ones.
4. The actor starts at the uniform ratio, and the warm-up explores around it; the first episode asks
   for exactly that ratio everywhere, which projects onto the uniform policy itself.
5. Exploration is narrower and lasts as long as the search.
6. More updates an episode, and one learning rate for actor and critic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DDPG
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.utils import update_learning_rate

from agents.exploration import Exploration, truncated_normal
from agents.replay import EpisodeReplayBuffer, Returns
from amc.checks import check
from amc.devices import one_thread
from envs import PruningEnv
from envs.pruning_env import BudgetMode


@dataclass(frozen=True)
class Settings:
    """What distinguishes one DDPG search from another.

    Args:
        warmup: Fraction of the episodes before the agent learns, in [0, 1].
        sigma: Width of the exploration at the start, in units of the pruning ratio.
        final_sigma: Width in the last episode.
        returns: "monte-carlo" or "bootstrap"; see `EpisodeReplayBuffer`.
        budget_mode: "project" or "clip"; see `PruningEnv`.
        start_at_uniform: Begin at the ratio of the uniform policy, instead of anywhere.
        actor_lr: Adam's rate for the actor.
        critic_lr: Adam's rate for the critic.
        updates: Gradient updates after each episode; 0 means one per group.
        hidden: Units of the two hidden layers.
        batch_size: Transitions an update.
        tau: Weight of the new parameters in the target networks.
        buffer_size: Transitions kept; 0 keeps all.

    Raises:
        ValueError: if a number is out of its range or a word is not one of those named.
    """

    warmup: float = 0.25
    sigma: float = 0.1
    final_sigma: float = 0.01
    returns: Returns = "monte-carlo"
    budget_mode: BudgetMode = "project"
    start_at_uniform: bool = True
    actor_lr: float = 1e-3
    critic_lr: float = 1e-3
    updates: int = 40
    hidden: int = 300
    batch_size: int = 64
    tau: float = 0.01
    buffer_size: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "sigma": (0 < self.sigma < math.inf, "above 0"),
            "final_sigma": (0 < self.final_sigma <= self.sigma, "above 0 and at most sigma"),
            "returns": (self.returns in get_args(Returns), "bootstrap or monte-carlo"),
            "budget_mode": (self.budget_mode in get_args(BudgetMode), "clip or project"),
            "actor_lr": (0 < self.actor_lr < math.inf, "above 0"),
            "critic_lr": (0 < self.critic_lr < math.inf, "above 0"),
            "updates": (self.updates >= 0, "0 or more"),
            "hidden": (self.hidden >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "tau": (0 < self.tau <= 1, "above 0 and at most 1"),
            "buffer_size": (self.buffer_size >= 0, "0 or more"),
        }
        for name, (good, wanted) in bounds.items():
            check("ddpg", name, getattr(self, name), good, wanted)

    @classmethod
    def published(cls) -> Settings:
        """The agent of the paper."""
        return cls(
            warmup=0.25,
            sigma=0.5,
            final_sigma=0.01,
            returns="bootstrap",
            budget_mode="clip",
            start_at_uniform=False,
            actor_lr=1e-4,
            critic_lr=1e-3,
            updates=0,
            hidden=300,
            batch_size=64,
            tau=0.01,
            buffer_size=2000,
        )


class AmcDDPG(DDPG):
    """DDPG with truncated-normal exploration by episode, and a learning rate for each network."""

    def __init__(
        self,
        env: PruningEnv,
        settings: Settings,
        exploration: Exploration,
        seed: int,
        tensorboard_log: str | None = None,
    ) -> None:
        groups = len(env.problem.graph.groups)
        self._start: float | None = None
        self.settings = settings
        self.exploration = exploration
        super().__init__(
            "MlpPolicy",
            env,
            learning_rate=settings.critic_lr,
            buffer_size=settings.buffer_size or exploration.episodes * groups,
            learning_starts=exploration.warmup * groups,
            batch_size=settings.batch_size,
            tau=settings.tau,
            gamma=1.0,
            train_freq=(1, "episode"),
            gradient_steps=settings.updates or -1,
            replay_buffer_class=EpisodeReplayBuffer,
            replay_buffer_kwargs={"returns": settings.returns},
            policy_kwargs={"net_arch": [settings.hidden, settings.hidden]},
            tensorboard_log=tensorboard_log,
            seed=seed,
            device="cpu",
        )

    def start_at(self, ratio: float) -> None:
        """Make the first episode ask for `ratio`, and the untrained actor answer about that."""
        self._start = ratio
        level = float(np.arctanh(np.clip(2 * ratio - 1, -0.99, 0.99)))
        for actor in (self.actor, self.actor_target):
            output = [m for m in actor.mu if isinstance(m, torch.nn.Linear)][-1]
            with torch.no_grad():
                output.weight.mul_(0.1)
                output.bias.fill_(level)

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n_envs, 1) actions, and the same scaled to [-1, 1] for the replay buffer."""
        assert self._last_obs is not None
        mean, _ = self.predict(self._last_obs, deterministic=True)
        episode = self._episode_num
        if episode == 0 and self._start is not None:
            action = np.full_like(mean, self._start)
        else:
            width = self.exploration.width(episode)
            action = truncated_normal(torch.from_numpy(mean), width).numpy()
        return action, self.policy.scale_action(action)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Update the networks, which are too small to be worth a second thread."""
        with one_thread():
            super().train(gradient_steps, batch_size)

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        update_learning_rate(self.actor.optimizer, self.settings.actor_lr)
        update_learning_rate(self.critic.optimizer, self.settings.critic_lr)
