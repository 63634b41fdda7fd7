"""Which rollout to take next: many are proposed, and the one that promises most is taken.

The environment's rules are known, so a rollout can be followed to its kept counts without
evaluating them; only what it earns must be learned (`amc.strategies.surrogate`). Learning from such
rollouts beside the real ones is Dyna (Sutton, "Integrated Architectures for Learning, Planning, and
Reacting", ICML 1990), who calls them imagined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amc.graph import Kept
from amc.history import Outcome
from amc.strategies import Surrogate, around
from envs import PruningEnv

Ratios = NDArray[np.float64]


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
        # As the action space rounds them, so that a rollout is judged as it would be taken.
        near = around(actors, self._random, self._proposals)
        asked: Ratios = near.astype(np.float32).astype(np.float64)
        ends = self._env.rollout_ends(asked)
        new = [at for at, kept in enumerate(ends) if kept not in self._taken]
        promise = (
            self._surrogate.expected_improvement([ends[at] for at in new]) if new else np.zeros(1)
        )
        chosen: Ratios = asked[new[int(np.argmax(promise))] if new else 0]
        return chosen
