"""What there is to choose: a count for every group, and whether a branch goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from amc.costs import Limits
from amc.graph import Kept

COUNTS = 9
"""Of a group that has more legal counts, so many are chosen from, evenly from the fewest to all."""


@dataclass(frozen=True)
class Choices:
    """Options of groups, which come first, and of branches, in the order of the graph.

    A group's options are kept counts, the last of them all of its units. A branch's are 1, it
    stays, and 0, it is gone.

    Args:
        limits: Of the problem.
    """

    limits: Limits

    @cached_property
    def options(self) -> tuple[tuple[int, ...], ...]:
        """Of each choice."""
        groups = [_some(own) for own in self.limits.counts]
        branches: list[tuple[int, ...]] = [(0, 1)] * len(self._branches)
        return (*groups, *branches)

    @cached_property
    def _branches(self) -> tuple[int, ...]:
        """Those that may go, by their place in the graph."""
        smallest = self.limits.smallest
        return tuple(
            at
            for at, branch in enumerate(self.limits.graph.branches)
            if all(smallest[group] == 0 for group in branch.groups)
        )

    @property
    def groups(self) -> int:
        """How many choices are those of groups."""
        return len(self.limits.graph.groups)

    @cached_property
    def ended(self) -> tuple[frozenset[int], ...]:
        """Of each choice, the groups that end where it takes its smallest option."""
        settled = (self.kept([(at, own[0])]) == 0 for at, own in enumerate(self.options))
        return tuple(frozenset(np.flatnonzero(one).tolist()) for one in settled)

    def kept(self, chosen: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """(groups,) counts where these choices take these options, and all else stays.

        Args:
            chosen: Numbers of choices, with what they take.
        """
        graph = self.limits.graph
        counts = np.array(graph.full, np.int64)
        for choice, option in chosen:
            if choice < self.groups:
                counts[choice] = option
        for choice, option in chosen:
            if choice >= self.groups and option == 0:
                counts[list(graph.branches[self._branches[choice - self.groups]].groups)] = 0
        return graph.settled(counts)

    def policy(self, taken: Sequence[int]) -> Kept:
        """Kept counts where every choice has taken an option."""
        return tuple(self.kept(list(enumerate(taken))).tolist())


def _some(counts: Sequence[int]) -> tuple[int, ...]:
    """Of legal counts, but for none at all."""
    first = int(counts[0] == 0)
    number = min(len(counts) - first, COUNTS)
    places = np.linspace(first, len(counts) - 1, number).round().astype(int)
    return tuple(counts[at] for at in places.tolist())
