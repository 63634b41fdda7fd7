"""Which labels go together, under the ties of a forward pass and more: on arrays, as many are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amc.tracing.flow import Link
from amc.tracing.labels import Atoms

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Ties:
    """Labels that go together, and why some may not go.

    Attributes:
        roots: (labels,) the label that stands for all that go together with each.
        why: (labels,) of a label that stands for others the place of a reason in `reasons`, or
            their number where it may go.
        reasons: Why some may not go.
    """

    roots: Integers
    why: Integers
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, atoms: Atoms) -> Ties:
        """Those of a forward pass."""
        roots, told = atoms.roots(), atoms.reasons()
        why = np.full(len(roots), len(told))
        why[list(told)] = np.arange(len(told))
        return cls(roots, why, tuple(told.values()))

    def among(self, labels: Integers) -> Ties:
        """The same of some labels alone, by their places: those that go together with any of them.

        Args:
            labels: (some,) ascending.
        """
        return Ties(np.searchsorted(labels, self.roots[labels]), self.why[labels], self.reasons)

    def joined(self, left: Integers, right: Integers) -> Ties:
        """With each label on the left tied to the one in the same place on the right."""
        roots = self.roots
        while (differ := roots[left] != roots[right]).any():
            left, right = left[differ], right[differ]
            both = np.sort((roots[left], roots[right]), 0)
            further = np.arange(len(roots))
            np.minimum.at(further, both[1], both[0])
            roots = _followed(further)[roots]
        if roots is self.roots:
            return self
        why = np.full(len(roots), len(self.reasons))
        np.minimum.at(why, roots[self.roots], self.why[self.roots])
        return Ties(roots, why, self.reasons)

    def linked(self, links: Links) -> Ties:
        """With each label tied to those that it stands for, where they all go together."""
        ties = self
        while len(links.labels):
            met = ties.roots[links.members]
            alike = np.minimum.reduceat(met, links.starts) == np.maximum.reduceat(met, links.starts)
            if not alike.any():
                break
            ties = ties.joined(links.labels[alike], links.members[links.starts[alike]])
            links = links.some(~alike)
        return ties


def _followed(parents: Integers) -> Integers:
    while not np.array_equal(further := parents[parents], parents):
        parents = further
    return parents


@dataclass(frozen=True)
class Links:
    """Labels that stand for others.

    Attributes:
        labels: (links,) they.
        members: (all,) those that they stand for, side by side.
        starts: (links,) where those of each begin.
    """

    labels: Integers
    members: Integers
    starts: Integers

    @classmethod
    def of(cls, links: Sequence[Link]) -> Links:
        """From lists."""
        lengths = np.array([len(members) for _, members in links], np.int64)
        every = [member for _, members in links for member in members]
        labels = np.array([label for label, _ in links], np.int64)
        return cls(labels, np.array(every, np.int64), np.cumsum(lengths) - lengths)

    @property
    def lengths(self) -> Integers:
        """(links,) how many each stands for."""
        return np.diff(self.starts, append=len(self.members))

    def some(self, which: NDArray[np.bool_]) -> Links:
        """(links,) Those alone."""
        lengths = self.lengths
        members = self.members[np.repeat(which, lengths)]
        left = lengths[which]
        return Links(self.labels[which], members, np.cumsum(left) - left)

    def among(self, labels: Integers) -> Links:
        """Those of some labels, by their places.

        Args:
            labels: (some,) ascending; with each all that it stands for.
        """
        own = self.some(np.isin(self.labels, labels))
        own_labels = np.searchsorted(labels, own.labels)
        return Links(own_labels, np.searchsorted(labels, own.members), own.starts)

    def ends(self) -> tuple[Integers, Integers]:
        """Each label beside every one that it stands for."""
        return np.repeat(self.labels, self.lengths), self.members
