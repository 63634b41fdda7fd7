"""The search as a Gymnasium environment: one group a step, the reward at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

from amc.graph import Kept
from amc.history import Outcome
from amc.parsing import look_up
from amc.problem import Problem
from envs.bounds import execute_action, execute_rollouts
from envs.features import NAMES, Features, Observation
from envs.rewards import REWARDS


class Episode(NamedTuple):
    """A finished rollout, as it was executed.

    A tuple, so that Gymnasium's checker can compare two of them.

    Attributes:
        observations: (groups + 1, 11) state before each decision, and after the last.
        actions: (groups,) executed pruning ratios.
        outcome: What it led to.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    outcome: Outcome


class PruningEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Walks the groups of a problem's network in forward order; each action is a pruning ratio.

    Observation: the 11 features of `envs.features`, (11,) float32 in [0, 1]. Action: (1,) float32
    pruning ratio in [0, 1], rounded to a legal count. Reward: 0 until the last step, then the
    reward of the outcome. `info` holds the count that the action became as `kept` and its ratio as
    `executed`, and after the last step the `Episode` as `rollout` (`episode` is taken by
    monitors).

    The budget is met by every episode: each action is bounded as it is taken, so that the rest can
    still meet it (Algorithm 1 of AMC, He et al., 2018; see `envs.bounds`). The executed actions
    are in the `Episode`.

    Args:
        problem: What to search.
        reward: Short name from `envs.rewards`: "error", "flops", "params", ...

    Raises:
        LookupError: if there is no such reward.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, problem: Problem, reward: str = "error") -> None:
        self.problem = problem
        self.features = Features(problem.graph)
        self._reward = look_up(REWARDS, reward, "reward")
        self.observation_space = Box(0.0, 1.0, (len(NAMES),), np.float32)
        self.action_space = Box(0.0, 1.0, (1,), np.float32)
        self._decided: list[int] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a rollout at the first group; nothing in it is random."""
        super().reset(seed=seed)
        self._decided = []
        return self.features.observe(()), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the next group; see the class.

        Raises:
            ValueError: if the action is not a number, or the rollout is over.
        """
        ratio = self._ratio(action)
        self._decided.append(execute_action(self.problem.limits, self._decided, ratio))
        if len(self._decided) < len(self.problem.graph.groups):
            return self.features.observe(self._decided), 0.0, False, False, self._info()
        episode = self._finish()
        reward = self.reward(episode.outcome)
        info = {**self._info(), "rollout": episode}
        return episode.observations[-1], reward, True, False, info

    def rollout_ends(self, ratios: ArrayLike) -> list[Kept]:
        """Kept counts that rollouts with these actions would end with; nothing is evaluated.

        Args:
            ratios: (rollouts, groups) pruning ratios in [0, 1], as they would be asked for.
        """
        return execute_rollouts(self.problem.limits, ratios)

    def states(self, kept: Sequence[int]) -> NDArray[np.float32]:
        """(groups + 1, 11) the state before each decision of a rollout, and after the last."""
        return self.features.rollout(kept)

    def rollout(self, answer: Callable[[Observation], float]) -> NDArray[np.float64]:
        """(groups,) the ratios that a rule asks for in one rollout; nothing is evaluated.

        Args:
            answer: From a state to a pruning ratio in [0, 1].
        """
        asked, decided = list[float](), list[int]()
        for _ in self.problem.graph.groups:
            asked.append(answer(self.features.observe(decided)))
            decided.append(execute_action(self.problem.limits, decided, asked[-1]))
        return np.array(asked)

    def reward(self, outcome: Outcome) -> float:
        """What a rollout to this outcome earns."""
        return self._reward(outcome)

    def _ratio(self, action: NDArray[np.float32]) -> float:
        if len(self._decided) == len(self.problem.graph.groups):
            raise ValueError(
                "pruning environment: the rollout is over; reset it before the next step"
            )
        ratio = float(np.asarray(action, np.float64).reshape(-1)[0])
        if math.isnan(ratio):
            group = self.problem.graph.groups[len(self._decided)].name
            raise ValueError(
                f"pruning environment: the action for group {group!r} is nan; an agent that "
                "answers so has diverged, so lower its learning rates"
            )
        return min(1.0, max(0.0, ratio))

    def _info(self) -> dict[str, Any]:
        kept, units = self._decided[-1], self.problem.graph.full[len(self._decided) - 1]
        return {"kept": kept, "executed": 1 - kept / units}

    def _finish(self) -> Episode:
        kept = self.problem.graph.settled(self._decided).tolist()
        actions = self.problem.graph.ratios(kept).astype(np.float32)
        return Episode(self.states(kept), actions, self.problem.evaluate(kept))
