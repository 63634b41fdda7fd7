"""DDPG that learns on imagined episodes: a model of the reward, and an actor that climbs it.

The environment's rules are known, so that an episode can be walked without evaluating anything;
only what it earns costs an evaluation. A Gaussian process learns that from the episodes that were
evaluated (`amc.strategies.Surrogate`). Before each real episode many are imagined: around the
actor's own and the best so far, each earning what the process expects and a part of how unsure it
is. On these stable-baselines3's DDPG trains its critic and its actor, which also imitates the most
promising of them: along the slope of the critic alone it ends at the edge of its actions. Of
episodes near the actor's the one with the highest expected improvement is taken.

Sutton, "Integrated Architectures for Learning, Planning, and Reacting", ICML 1990 (Dyna); Janner et
al., "When to Trust Your Model: Model-Based Policy Optimization", NeurIPS 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import DDPG
from stable_baselines3.common.logger import Logger

from agents.exploration import Exploration
from agents.randomness import restored_randomness
from agents.replay import EpisodeReplayBuffer
from agents.rollout_agent import RolloutAgent, rollout_agent
from agents.settings import AgentSettings
from amc.devices import one_thread
from amc.graph import Kept
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import check_budget, starting_policy
from amc.strategies import IDLE, Missed, Surrogate, around
from envs import PruningEnv

Ratios = NDArray[np.float64]
Worth = Callable[[Sequence[Kept]], NDArray[np.float64]]
"""From kept counts to what they would earn."""

BATCH = 128
"""Transitions an update."""

FIRST_LESSONS = 20
"""Rounds of imagining before anything is evaluated but the start, where refits tell something."""


@dataclass(frozen=True)
class ImaginedDDPGSearch:
    """DDPG, trained on episodes that are imagined; see this file's head.

    Args:
        episodes: Candidates to evaluate at most.
        imagined: Episodes imagined in each round.
        rounds: Of imagining and learning before each episode that is evaluated.
        updates: Of critic and actor in each round.
        optimism: Deviations of the reward's model that are added to what it expects.
        proposals: Episodes near the actor's, of which one is evaluated; 1 takes the actor's own.
        prior: Whether what refits miss is an input of the reward's model, and what the actor learns
            by before there is one.
        imitation: Steps towards the most promising imagined episode after each round.
        actor_lr: Adam's rate for the actor.
        critic_lr: Adam's rate for the critic.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int = 300
    imagined: int = 64
    rounds: int = 2
    updates: int = 20
    optimism: float = 0.5
    proposals: int = 64
    prior: bool = True
    imitation: int = 40
    actor_lr: float = 3e-4
    critic_lr: float = 1e-3

    def __post_init__(self) -> None:
        least = {"episodes": 1, "imagined": 1, "rounds": 1, "proposals": 1}
        least |= {"updates": 0, "optimism": 0, "imitation": 0}
        for name, fewest in least.items():
            value: float = getattr(self, name)
            check("ddpg-imagined", name, value, value >= fewest, f"{fewest} or more")
        for name in ("actor_lr", "critic_lr"):
            rate: float = getattr(self, name)
            check("ddpg-imagined", name, rate, 0 < rate < math.inf, "above 0")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """The best of all candidates within the budgets.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "ddpg-imagined")
        problem.restart()
        with restored_randomness():
            dreamer = _Dreamer(self, PruningEnv(problem), seed)
            dreamer.begin()
            idle = 0
            while len(problem.outcomes) < self.episodes and idle < IDLE:
                idle = 0 if dreamer.episode() else idle + 1
        return problem.result()


class _Dreamer:
    """One search.

    Args:
        asked: The settings.
        env: That is walked.
        seed: Of all draws.
    """

    def __init__(self, asked: ImaginedDDPGSearch, env: PruningEnv, seed: int) -> None:
        problem = env.problem
        self._asked, self._env, self._problem = asked, env, problem
        self._random = np.random.default_rng(seed)
        self._missed = Missed(problem) if asked.prior else None
        self._surrogate = Surrogate.of(problem, self._missed)
        self._agent = self._new_agent(seed)

    def _new_agent(self, seed: int) -> RolloutAgent:
        asked, groups = self._asked, len(self._problem.graph.groups)
        settings = AgentSettings(
            actor_lr=asked.actor_lr,
            critic_lr=asked.critic_lr,
            buffer_size=3 * asked.imagined * groups,
            imitation=asked.imitation,
        )
        exploration = Exploration(asked.episodes, 0, settings.sigma, settings.final_sigma)
        agent = rollout_agent(DDPG)(self._env, settings, exploration, seed)
        agent.set_logger(Logger(folder=None, output_formats=[]))
        return agent

    def begin(self) -> None:
        """Evaluate where other searches begin, and what the actor learns of refits alone."""
        problem, asked = self._problem, self._asked
        start = starting_policy(problem, asked.episodes)
        problem.evaluate(start)
        self._agent.start_at(start)
        missed = self._missed
        if missed is None or not missed.known or len(problem.outcomes) >= asked.episodes:
            return
        for _ in range(FIRST_LESSONS):
            self._learn(missed.foretold, start)
        (end,) = self._env.rollout_ends(self._agent.actor_rollout())
        problem.evaluate(end)

    def episode(self) -> bool:
        """Learn, and evaluate one more; False where nothing near the actor's is new."""
        outcomes = self._problem.outcomes
        known = {one.kept for one in outcomes}
        if len(known) >= 2:
            self._surrogate.learn(outcomes)
            best = max(self._problem.finalists(), key=lambda one: one.merit, default=outcomes[0])
            for _ in range(self._asked.rounds):
                self._learn(self._promise, best.kept)
        ends = self._ends(self._agent.actor_rollout(), self._asked.proposals)
        new = [kept for kept in ends if kept not in known]
        if not new:
            return False
        best_worth = max((one.worth for one in self._problem.finalists()), default=None)
        some = new[:1]
        if len(known) >= 2:
            some = self._surrogate.most_promising(new, 1, best_worth)
        self._problem.evaluate(some[0])
        return True

    def _promise(self, kept: Sequence[Kept]) -> NDArray[np.float64]:
        mean, spread = self._surrogate.foretold(kept)
        promise: NDArray[np.float64] = mean + self._asked.optimism * spread
        return promise

    def _ends(self, centre: Ratios, count: int) -> list[Kept]:
        """Where episodes near one end, that one first."""
        asked = np.vstack([centre[None], around(centre, self._random, count - 1)])
        return list(dict.fromkeys(self._env.rollout_ends(asked)))

    def _learn(self, worth: Worth, best: Kept) -> None:
        """Imagine episodes around the actor's and the best, and train critic and actor on them.

        A step earns what its action changes where all later ones are as they would have been
        (a counterfactual baseline, Foerster et al., AAAI 2018): of what the whole episode earns
        nearly all is due to other steps, and the critic, which does not see them, would learn
        their noise.
        """
        centres = [self._agent.actor_rollout(), self._problem.graph.ratios(best)]
        each = -(-self._asked.imagined // len(centres))
        found = [self._imagined(centre, each, worth) for centre in centres]
        ends = [kept for there, _, _ in found for kept in there]
        buffer = self._agent.replay_buffer
        assert isinstance(buffer, EpisodeReplayBuffer)
        states = np.stack([self._env.states(kept) for kept in ends])
        gains = np.concatenate([gain for _, gain, _ in found])
        buffer.refill(states, self._problem.graph.ratios(ends), gains)
        if self._asked.updates:
            self._agent.train(self._asked.updates, BATCH)
        if self._asked.imitation:
            earned = np.concatenate([total for _, _, total in found])
            with one_thread():
                self._agent.imitate(ends[int(np.argmax(earned))])

    def _imagined(
        self, centre: Ratios, count: int, worth: Worth
    ) -> tuple[list[Kept], NDArray[np.float64], NDArray[np.float64]]:
        """Episodes around one: where they end, what each step gains, and what they earn."""
        groups = len(centre)
        asked = around(centre, self._random, count)
        # Of each, those that begin as it does and go on as the centre.
        taken = np.tri(groups + 1, groups, -1, dtype=bool)
        parts = np.where(taken, asked[:, None], centre)
        ends = self._env.rollout_ends(parts.reshape(-1, groups))
        different = list(dict.fromkeys(ends))
        values = dict(zip(different, worth(different), strict=True))
        earned = np.array([values[kept] for kept in ends]).reshape(count, groups + 1)
        return ends[groups :: groups + 1], np.diff(earned, axis=1), earned[:, -1]
