"""The agent: DDPG as AMC uses it, on stable-baselines3.

He et al., "AMC: AutoML for Model Compression", ECCV 2018, 3.3 and 4.1; `Settings.published()` is
that agent. Departures of the default settings:

1. A critic of whole walks, a Gaussian process, takes the place of the critic of single steps
   (`agents.reward_model`): it knows from a few dozen walks what a network of 300 units a layer does
   not from hundreds, and how sure it is.
2. Before a walk is taken many are imagined, around the actor's own and around the best so far; the
   one with the highest expected improvement is taken (`agents.imagination`).
3. The actor imitates the walks that the critic finds best, instead of climbing the slope of a
   critic whose bias drives it into saturation (advantage-weighted regression, Peng et al., 2019,
   with weights 1 and 0).
4. Actions are projected onto the budget together when the episode ends, instead of being clipped
   one by one, which prunes late layers harder than early ones.
5. The actor starts at the uniform ratio, and a shorter warm-up explores around it; the first
   episode asks for exactly that ratio everywhere, which projects onto the uniform policy itself.

Without imagined walks (`proposals` 0) the critic of single steps learns with `updates` above 0; its
returns are Monte-Carlo: all transitions of an episode earn its final reward and the discount is 1,
so the final reward is the return, and rewards are standardised, instead of having a moving baseline
subtracted. The published target adds the next state's value to a reward that already is the return.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DDPG
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.utils import update_learning_rate

from agents.exploration import Exploration, truncated_normal
from agents.imagination import Imagination
from agents.replay import EpisodeReplayBuffer, Returns
from amc.checks import check
from amc.devices import one_thread
from amc.structure import Kept
from envs import PruningEnv
from envs.features import Observation
from envs.pruning_env import BudgetMode


@dataclass(frozen=True)
class Settings:
    """What distinguishes one DDPG search from another.

    Args:
        warmup: Fraction of the episodes before the agent learns, in [0, 1].
        longest_warmup: Episodes that the warm-up has at most; 0 sets no limit.
        sigma: Width of the exploration at the start, in units of the pruning ratio.
        final_sigma: Width in the last episode.
        returns: "monte-carlo" or "bootstrap"; see `EpisodeReplayBuffer`.
        budget_mode: "project" or "clip"; see `PruningEnv`.
        start_at_uniform: Begin at the ratio of the uniform policy, instead of anywhere.
        actor_lr: Adam's rate for the actor.
        critic_lr: Adam's rate for the critic.
        updates: Gradient updates of DDPG after each episode; -1 means one per group.
        hidden: Units of the two hidden layers.
        batch_size: Transitions an update.
        tau: Weight of the new parameters in the target networks.
        buffer_size: Transitions kept; 0 keeps all.
        proposals: Walks imagined for each that is taken; 0 takes the actor's with its noise.
        elites: Best walks so far that proposals vary and the actor imitates.
        by_actor: Fraction of the proposals that vary the actor's own walk, in [0, 1].
        imitation: Gradient steps towards the best walks before each walk.

    Raises:
        ValueError: if a number is out of its range or a word is not one of those named.
    """

    warmup: float = 0.2
    longest_warmup: int = 20
    sigma: float = 0.1
    final_sigma: float = 0.01
    returns: Returns = "monte-carlo"
    budget_mode: BudgetMode = "project"
    start_at_uniform: bool = True
    actor_lr: float = 1e-3
    critic_lr: float = 1e-3
    updates: int = 0
    hidden: int = 300
    batch_size: int = 64
    tau: float = 0.01
    buffer_size: int = 0
    proposals: int = 64
    elites: int = 5
    by_actor: float = 0.3
    imitation: int = 20

    def __post_init__(self) -> None:
        bounds = {
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "sigma": (0 < self.sigma < math.inf, "above 0"),
            "final_sigma": (0 < self.final_sigma <= self.sigma, "above 0 and at most sigma"),
            "returns": (self.returns in get_args(Returns), "bootstrap or monte-carlo"),
            "budget_mode": (self.budget_mode in get_args(BudgetMode), "clip or project"),
            "actor_lr": (0 < self.actor_lr < math.inf, "above 0"),
            "critic_lr": (0 < self.critic_lr < math.inf, "above 0"),
            "updates": (self.updates >= -1, "0 or more, or -1 for one per group"),
            "hidden": (self.hidden >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "tau": (0 < self.tau <= 1, "above 0 and at most 1"),
            "buffer_size": (self.buffer_size >= 0, "0 or more"),
            "longest_warmup": (self.longest_warmup >= 0, "0 or more episodes"),
            "proposals": (self.proposals >= 0, "0 or more"),
            "elites": (self.elites >= 1, "1 or more"),
            "by_actor": (0 <= self.by_actor <= 1, "from 0 to 1"),
            "imitation": (self.imitation >= 0, "0 or more"),
        }
        for name, (good, wanted) in bounds.items():
            check("ddpg", name, getattr(self, name), good, wanted)

    @classmethod
    def published(cls) -> Settings:
        """The agent of the paper."""
        return cls(
            warmup=0.25,
            longest_warmup=0,
            sigma=0.5,
            final_sigma=0.01,
            returns="bootstrap",
            budget_mode="clip",
            start_at_uniform=False,
            actor_lr=1e-4,
            critic_lr=1e-3,
            updates=-1,
            proposals=0,
            hidden=300,
            batch_size=64,
            tau=0.01,
            buffer_size=2000,
        )


class AmcDDPG(DDPG):
    """DDPG with truncated-normal exploration by episode, a learning rate for each network, and
    walks that are imagined before they are taken.
    """

    def __init__(
        self,
        env: PruningEnv,
        settings: Settings,
        exploration: Exploration,
        seed: int,
        tensorboard_log: str | None = None,
    ) -> None:
        groups = len(env.problem.graph.groups)
        self._groups, self._walker = groups, env
        self._start: float | None = None
        self._walk: NDArray[np.float64] | None = None
        self._imagination = Imagination(
            env, settings.proposals, settings.elites, settings.by_actor, seed
        )
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
            gradient_steps=settings.updates,
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
        episode, step = self._episode_num, self.num_timesteps % self._groups
        if step == 0:
            self._walk = self._imagined()
        if episode == 0 and self._start is not None:
            action = np.full_like(mean, self._start)
        elif self._walk is not None:
            action = np.full_like(mean, self._walk[step])
        else:
            width = self.exploration.width(episode)
            action = truncated_normal(torch.from_numpy(mean), width).numpy()
        return action, self.policy.scale_action(action)

    def _imagined(self) -> NDArray[np.float64] | None:
        """(groups,) ratios of the next walk; None where the actor takes it step by step."""
        outcomes = self._walker.problem.outcomes
        early = self._episode_num < self.exploration.warmup or len(outcomes) < 2
        if early or not self.settings.proposals:
            return None
        with one_thread():
            best = self._imagination.learn(outcomes)
            self._imitate(best)
            return self._imagination.next_walk(self._own_walk())

    def _imitate(self, walks: Sequence[Kept]) -> None:
        """Move the actor towards what these walks did in their states."""
        full = np.array(self._walker.problem.graph.full)
        states = np.concatenate([self._walker.states(kept)[:-1] for kept in walks])
        ratios = np.concatenate([1 - np.array(kept) / full for kept in walks])
        wanted = torch.from_numpy(2 * ratios - 1).float()[:, None]
        for _ in range(self.settings.imitation):
            loss = torch.nn.functional.mse_loss(self.actor(torch.from_numpy(states)), wanted)
            self.actor.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.actor.optimizer.step()

    def _own_walk(self) -> NDArray[np.float64]:
        """(groups,) what the actor asks for when it walks without noise."""

        def answer(state: Observation) -> float:
            mean, _ = self.predict(state[None], deterministic=True)
            return float(mean[0, 0])

        return self._walker.walk(answer)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Update the networks, which are too small to be worth a second thread."""
        with one_thread():
            super().train(gradient_steps, batch_size)

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        update_learning_rate(self.actor.optimizer, self.settings.actor_lr)
        update_learning_rate(self.critic.optimizer, self.settings.critic_lr)
