"""A search by reinforcement learning, as a strategy like any other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents.exploration import Exploration
from agents.randomness import restored_randomness
from agents.rollout_agent import rollout_agent
from agents.scalars import Scalars
from agents.settings import AgentSettings
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import episodes_left, starting_policy
from envs import REWARDS, PruningEnv


@dataclass(frozen=True)
class AgentSearch:
    """AMC: an actor-critic agent that sets one group's ratio after the other, all once an episode.

    Args:
        episodes: Each evaluates one candidate.
        reward: Short name from `envs.rewards`: "error" within a budget; "flops", "params", ...
            without one.
        settings: Of the agent.
        tensorboard: Folder for scalars of stable-baselines3's logger.
        algorithm: Of stable-baselines3, or made like its own (see `agents.rollout_agent`).

    Raises:
        ValueError: if there are no episodes.
    """

    episodes: int = 300
    reward: str = "error"
    settings: AgentSettings = field(default_factory=AgentSettings)
    tensorboard: str | None = None
    algorithm: type[OffPolicyAlgorithm] = DDPG

    def __post_init__(self) -> None:
        check("agent", "episodes", self.episodes, self.episodes >= 1, "1 or more")

    @property
    def exploration(self) -> Exploration:
        """How far each episode strays."""
        warmup = round(self.settings.warmup * self.episodes)
        warmup = min(warmup, self.settings.longest_warmup or warmup)
        return Exploration(self.episodes, warmup, self.settings.sigma, self.settings.final_sigma)

    def begins_as(self, longer: AgentSearch) -> bool:
        """Whether a longer search goes the same way as far as this one goes.

        An agent that proposes its rollouts knows of the search's length only by its warm-up.
        """
        warmups = self.exploration.warmup, longer.exploration.warmup
        same = replace(longer, episodes=self.episodes) == self
        return same and self.settings.proposals > 0 and warmups[0] == warmups[1] >= 2

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Train an agent on the problem; the candidate that earned most is the result.

        Raises:
            LookupError: if there is no such reward.
            ValueError: if the problem stops candidates by accuracy and the reward is another.
        """
        if problem.racing and self.reward != "error":
            raise ValueError(
                f"agent: the reward {self.reward!r} weighs accuracy against size, and racing stops "
                "candidates by accuracy alone; leave one of the two out"
            )
        problem.restart()
        groups, exploration = len(problem.graph.groups), self.exploration
        with restored_randomness():
            env = PruningEnv(problem, self.reward)
            agent = rollout_agent(self.algorithm)(
                env, self.settings, exploration, seed, self.tensorboard
            )
            left = self.episodes
            if self.settings.start_at_uniform:
                start = starting_policy(problem, self.episodes)
                agent.start_at(start)
                # As the environment executes it, which may be a little else.
                (first,) = env.rollout_ends(problem.graph.ratios(start).astype(np.float32))
                left = episodes_left(problem, self.episodes, first)
            if not self.tensorboard:
                # The library's own choice would leave an empty folder in /tmp after each search.
                agent.set_logger(Logger(folder=None, output_formats=[]))
            told = Scalars(problem) if self.tensorboard else None
            agent.learn(left * groups, told, log_interval=1, tb_log_name="search")
        return problem.result(max(problem.finalists(), key=REWARDS[self.reward]))


@dataclass(frozen=True)
class DDPGSearch(AgentSearch):
    """DDPG, which stable-baselines3 trains: its critic of single steps guides its actor."""


@dataclass(frozen=True)
class PaperDDPGSearch(AgentSearch):
    """DDPG with the settings of He et al. (2018)."""

    settings: AgentSettings = field(default_factory=AgentSettings.published)


@dataclass(frozen=True)
class TD3Search(AgentSearch):
    """TD3, which stable-baselines3 trains."""

    algorithm: type[OffPolicyAlgorithm] = TD3


@dataclass(frozen=True)
class SACSearch(AgentSearch):
    """SAC, which stable-baselines3 trains."""

    algorithm: type[OffPolicyAlgorithm] = SAC


@dataclass(frozen=True)
class GPRolloutSearch(AgentSearch):
    """A Gaussian process over whole rollouts chooses the next one, near an actor's own.

    The actor is DDPG's network and imitates the best rollout; DDPG's critic is never trained. See
    `agents.ddpg`.
    """

    settings: AgentSettings = field(default_factory=AgentSettings.gp_rollout)
