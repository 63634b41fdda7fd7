"""Which rollout to take next: many are proposed, and the one that promises most is taken.

The environment's rules are known, so a rollout can be followed to its kept counts without
evaluating them; only what it earns must be learned (`agents.surrogate`). Learning from such
rollouts beside the real ones is Dyna (Sutton, "Integrated Architectures for Learning, Planning, and
Reacting", ICML 1990), who calls them imagined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.surrogate import Surrogate
from amc.graph import Kept
from amc.history import Outcome
from envs import PruningEnv

Ratios = NDArray[np.float64]

WIDTHS = (0.03, 0.1, 0.25)
"""Of the normal noise on a proposed rollout's ratios; one of them is drawn for each."""

SHARES = (0.15, 0.5, 1.0)
"""Fractions of the groups that a proposed rollout changes; one of them is drawn for each."""


class Proposer:
    """Proposes rollouts near the actor's own, and knows which of them promises most.

    Args:
        env: That the rollouts are for.
        proposals: Rollouts proposed for each that is taken.
        seed: Of all draws.
    """

    def __init__(self, env: PruningEnv, proposals: int, seed: int) -> None:
        self._env, self._proposals = env, proposals
        self._random = np.random.default_rng(seed)
        self._surrogate = Surrogate(env.problem.graph.full, env.problem.limits.fewest)
        self._taken: set[Kept] = set()

    def fit(self, outcomes: Sequence[Outcome]) -> Kept:
        """Take in all rollouts so far, and return the one that is expected to earn most.

        Args:
            outcomes: What they led to, two at least.
        """
        kept = [outcome.kept for outcome in outcomes]
        expected = self._surrogate.fit(kept, [self._env.reward(outcome) for outcome in outcomes])
        self._taken = set(kept)
        return kept[int(np.argmax(expected))]

    def propose(self, actors: Ratios) -> Ratios:
        """(groups,) ratios of the most promising of all that are proposed now.

        Args:
            actors: (groups,) ratios of the actor's own rollout.
        """
        asked = self._around(actors)
        ends = self._env.rollout_ends(asked)
        new = [at for at, kept in enumerate(ends) if kept not in self._taken]
        promise = (
            self._surrogate.expected_improvement([ends[at] for at in new]) if new else np.zeros(1)
        )
        chosen: Ratios = asked[new[int(np.argmax(promise))] if new else 0]
        return chosen

    def _around(self, actors: Ratios) -> Ratios:
        """(proposals, groups) ratios around the actor's."""
        shape = (self._proposals, len(actors))
        width = self._random.choice(WIDTHS, (self._proposals, 1))
        changed = self._random.random(shape) < self._random.choice(SHARES, (self._proposals, 1))
        noise = self._random.normal(size=shape) * width * changed
        # As the action space rounds them, so that a rollout is judged as it would be taken.
        around: Ratios = np.clip(actors + noise, 0.0, 1.0).astype(np.float32).astype(np.float64)
        return around
