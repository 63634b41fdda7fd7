"""Which walk to take next: many are imagined, and the one that promises most is taken.

The environment's rules are known, so a walk can be followed to its kept counts without evaluating
them; only what it earns must be learned (`agents.reward_model`). Learning from imagined experience
beside the real is Dyna (Sutton, "Integrated Architectures for Learning, Planning, and Reacting",
ICML 1990).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.reward_model import RewardModel
from amc.problem import Outcome
from amc.structure import Kept
from envs import PruningEnv

Ratios = NDArray[np.float64]

WIDTHS = (0.03, 0.1, 0.25)
"""Of the normal noise on a proposal's ratios; one of them is drawn for each."""

SHARES = (0.15, 0.5, 1.0)
"""Fractions of the groups that a proposal changes; one of them is drawn for each."""


class Imagination:
    """Proposes walks near the actor's own and near the best ones so far.

    Args:
        env: That the walks are for.
        proposals: Walks imagined for each that is taken.
        elites: Best walks so far that are varied.
        by_actor: Fraction of the proposals that vary the actor's own walk, in [0, 1].
        seed: Of all draws.
    """

    def __init__(
        self, env: PruningEnv, proposals: int, elites: int, by_actor: float, seed: int
    ) -> None:
        self._env, self._proposals, self._elites = env, proposals, elites
        self._by_actor, self._random = by_actor, np.random.default_rng(seed)
        self._full = np.array(env.problem.graph.full, np.float64)
        self._model = RewardModel(env.problem.graph.full)
        self._taken: set[Kept] = set()
        self._best: list[Kept] = []

    def learn(self, outcomes: Sequence[Outcome]) -> Sequence[Kept]:
        """Take in all walks so far, and return those expected to earn most, the best first.

        Args:
            outcomes: What they led to, two at least.
        """
        kept = [outcome.kept for outcome in outcomes]
        expected = self._model.learn(kept, [self._env.reward(outcome) for outcome in outcomes])
        self._taken = set(kept)
        self._best = [kept[at] for at in np.argsort(-expected)[: self._elites]]
        return self._best

    def next_walk(self, actors: Ratios) -> Ratios:
        """(groups,) ratios of the most promising of all walks imagined now.

        Args:
            actors: (groups,) ratios of the actor's own walk.
        """
        asked = self._varied(actors, 1 - np.array(self._best) / self._full)
        ends = self._env.ends_of(asked)
        new = [at for at, kept in enumerate(ends) if kept not in self._taken]
        promise = self._model.improvement([ends[at] for at in new]) if new else np.zeros(1)
        chosen: Ratios = asked[new[int(np.argmax(promise))] if new else 0]
        return chosen

    def _varied(self, actors: Ratios, elites: Ratios) -> Ratios:
        """(proposals, groups) ratios around both; the first is the actor's walk as it is."""
        shape = (self._proposals, len(actors))
        by_actor = round(self._by_actor * self._proposals)
        start = elites[self._random.integers(len(elites), size=self._proposals)]
        start[:by_actor] = actors
        width = self._random.choice(WIDTHS, (self._proposals, 1))
        changed = self._random.random(shape) < self._random.choice(SHARES, (self._proposals, 1))
        noise = self._random.normal(size=shape) * width * changed
        noise[: by_actor and 1] = 0
        varied: Ratios = np.clip(start + noise, 0.0, 1.0)
        return varied
