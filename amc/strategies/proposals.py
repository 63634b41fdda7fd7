"""Policies worth a look, near others; nothing is evaluated for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amc.costs import Limits
from amc.graph import Kept
from amc.rules import project_all
from amc.strategies.missed import Missed, Numbers
from amc.strategies.mutation import around

IDLE = 20
"""Rounds without a candidate that is new after which nothing is left to try."""

ROUNDS = 4
"""Of a descent."""

STEPS = 32
"""Policies that each round of a descent looks at."""

WEIGHTS = (0.3, 1.0)
"""Widths of the normal noise on the logarithm of a group's weight; one is drawn for each descent.
A sum is no truth, so that each descent weighs its parts otherwise (as SPDY searches such weights,
Frantar & Alistarh, ICML 2022, 3)."""


class Proposals:
    """Proposes policies within budgets around others.

    Args:
        missed: What refits miss.
        random: Of all draws.
    """

    def __init__(self, missed: Missed, random: np.random.Generator) -> None:
        self._missed, self._random = missed, random

    def near(self, limits: Limits, parents: Sequence[Kept], count: int) -> list[Kept]:
        """So many around these, projected onto the budgets; fewer where some are the same.

        Args:
            limits: The budgets.
            parents: Policies, for any budgets; each has about as many children.
            count: Of the draws.
        """
        ratios = np.stack([limits.graph.ratios(kept) for kept in parents])
        chosen = ratios[self._random.integers(len(parents), size=count)]
        asked = around(chosen, self._random, count)
        return list(dict.fromkeys(project_all(limits, asked, depth=True)))

    def descended(self, limits: Limits, parents: Sequence[Kept]) -> list[Kept]:
        """The end of a descent from one of these to ever less missed, weighed by chance.

        Nothing where it is not known what refits miss.

        Args:
            limits: The budgets.
            parents: Policies within them.
        """
        if not self._missed.known:
            return []
        start = parents[int(self._random.integers(len(parents)))]
        width = self._random.choice(WEIGHTS)
        weights = np.exp(width * self._random.normal(size=len(limits.graph.full)))
        return [self.descent(limits, start, weights, ROUNDS)]

    def descent(self, limits: Limits, start: Kept, weights: Numbers, rounds: int) -> Kept:
        """The end of the way from a policy to those near it that miss least.

        Args:
            limits: The budgets.
            start: Within them.
            weights: (groups,) of what each group's readers miss.
            rounds: Steps of the way.
        """
        here = start
        for _ in range(rounds):
            seen = [here, *self.near(limits, [here], STEPS)]
            here = seen[int(np.argmin(self._missed.parts(seen) @ weights))]
        return here
