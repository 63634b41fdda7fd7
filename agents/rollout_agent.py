"""What turns an off-policy algorithm of stable-baselines3 into an agent that walks a network."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import update_learning_rate

from agents.exploration import Exploration, truncated_normal
from agents.proposer import Proposer
from agents.replay import EpisodeReplayBuffer
from agents.settings import AgentSettings
from amc.devices import one_thread
from amc.graph import Kept
from envs import Observation, PruningEnv


class RolloutAgent(OffPolicyAlgorithm):
    """Truncated-normal exploration by episode, a learning rate for each network, and rollouts that
    are proposed before they are taken.

    To be mixed into an algorithm (`rollout_agent`), which brings actor, critics and their updates.
    """

    actor: Any
    critic: Any

    def __init__(
        self,
        env: PruningEnv,
        settings: AgentSettings,
        exploration: Exploration,
        seed: int,
        tensorboard_log: str | None = None,
    ) -> None:
        groups = len(env.problem.graph.groups)
        self._groups, self._pruning = groups, env
        self._first: NDArray[np.float64] | None = None
        self._rollout: NDArray[np.float64] | None = None
        self._proposer = Proposer(env, settings.proposals, seed)
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
            policy_kwargs={
                "net_arch": [settings.hidden, settings.hidden],
                # One pass over weights and moments; imitation is the most of an agent's time.
                "optimizer_kwargs": {"fused": True},
            },
            tensorboard_log=tensorboard_log,
            seed=seed,
            device="cpu",
        )

    def start_at(self, kept: Kept) -> None:
        """Make the first episode this rollout, and the untrained actor answer about its mean ratio.

        Actions are float32: of groups of more than 16 million single weights a few differ.

        Args:
            kept: (groups,) counts within the budgets.
        """
        graph = self._pruning.problem.graph
        self._first = graph.ratios(kept)
        ratio = 1 - sum(kept) / sum(graph.full)
        level = float(np.arctanh(np.clip(2 * ratio - 1, -0.99, 0.99)))
        for actor in filter(None, (self.actor, getattr(self, "actor_target", None))):
            output = [m for m in actor.mu.modules() if isinstance(m, torch.nn.Linear)][-1]
            with torch.no_grad():
                output.weight.mul_(0.1)
                output.bias.fill_(level)

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n_envs, 1) actions, and the same scaled to [-1, 1] for the replay buffer."""
        episode, step = self._episode_num, self.num_timesteps % self._groups
        if step == 0:
            self._rollout = self._propose() if episode else self._first
        if self._rollout is not None:
            action = np.full((n_envs, 1), self._rollout[step], np.float32)
        else:
            action = self._explore(episode)
        return action, self.policy.scale_action(action)

    def _explore(self, episode: int) -> NDArray[Any]:
        """(n_envs, 1) actions around what the actor answers."""
        assert self._last_obs is not None
        mean, _ = self.predict(self._last_obs, deterministic=True)
        width = self.exploration.width(episode)
        return truncated_normal(torch.from_numpy(mean), width).numpy()

    def _propose(self) -> NDArray[np.float64] | None:
        """(groups,) ratios of the next rollout; None where the actor takes it step by step."""
        outcomes = self._pruning.problem.within_budgets()
        early = self._episode_num < self.exploration.warmup or len(outcomes) < 2
        if early or not self.settings.proposals:
            return None
        with one_thread():
            self.imitate(self._proposer.fit(outcomes))
            return self._proposer.propose(self.actor_rollout())

    def imitate(self, kept: Kept) -> None:
        """Move the actor towards what this rollout did in its states."""
        seen = torch.from_numpy(self._pruning.states(kept)[:-1])
        ratios = self._pruning.problem.graph.ratios(kept)
        wanted = torch.from_numpy(2 * ratios - 1).float()[:, None]
        for _ in range(self.settings.imitation):
            loss = torch.nn.functional.mse_loss(self.policy(seen, deterministic=True), wanted)
            self.actor.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.actor.optimizer.step()

    def actor_rollout(self) -> NDArray[np.float64]:
        """(groups,) what the actor asks for in a rollout without noise; nothing is evaluated."""

        def answer(state: Observation) -> float:
            mean = self.policy(torch.from_numpy(state[None]), deterministic=True)
            return float(self.policy.unscale_action(mean.numpy())[0, 0])

        with torch.no_grad():
            return self._pruning.rollout(answer)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Update the networks, which are too small to be worth a second thread."""
        with one_thread():
            super().train(gradient_steps, batch_size)

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        update_learning_rate(self.actor.optimizer, self.settings.actor_lr)
        update_learning_rate(self.critic.optimizer, self.settings.critic_lr)


def is_algorithm(made: object) -> TypeGuard[type[OffPolicyAlgorithm]]:
    """Whether this is a class that `rollout_agent` takes."""
    return isinstance(made, type) and issubclass(made, OffPolicyAlgorithm)


def rollout_agent(algorithm: type[OffPolicyAlgorithm]) -> type[RolloutAgent]:
    """The agent that a class of stable-baselines3, or one made like those, becomes.

    Args:
        algorithm: For continuous actions, with an actor whose last layers are called `mu`.
    """
    return type(f"Amc{algorithm.__name__}", (RolloutAgent, algorithm), {})
