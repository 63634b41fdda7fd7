"""Labels on the elements of tensors: which channel, of which layer, does this number come from.

A plane of labels has one axis for each axis of its tensor, of size 1 where the labels do not
change along it. 0 is no label. A tensor may have several planes: a product of two matrices has the
channels of its rows and those of its columns. Labels are float64, because every operation that
rearranges elements takes those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Planes = tuple[Tensor, ...]


class Atoms:
    """Labels, and which of them must go together (a union-find)."""

    def __init__(self) -> None:
        self._parents = [0]
        self._reasons: dict[int, str] = {}

    def fresh(self, count: int) -> Tensor:
        """(count,) new labels."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return torch.arange(start, start + count, dtype=torch.float64)

    def find(self, label: int) -> int:
        """The label that stands for all that go together with this one."""
        root = label
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[label] != root:
            self._parents[label], label = root, self._parents[label]
        return root

    def roots(self) -> NDArray[np.int64]:
        """What `find` says of every label."""
        found = np.array(self._parents, np.int64)
        while not np.array_equal(further := found[found], found):
            found = further
        return found

    def tie(self, one: Tensor, other: Tensor) -> None:
        """Labels at the same place, broadcast, go together."""
        left, right = broadcast(one, other)
        both = (left != 0) & (right != 0) & (left != right)
        if both.any():
            many = len(self._parents)
            pairs = np.unique(left[both].long().numpy() * many + right[both].long().numpy())
            for pair in zip((pairs // many).tolist(), (pairs % many).tolist(), strict=True):
                self.tie_all(pair)

    def tie_all(self, labels: Sequence[int]) -> None:
        """All of these go together."""
        first = self.find(labels[0])
        for label in labels[1:]:
            root = self.find(label)
            if root != first:
                self._parents[root] = first
                if root in self._reasons:
                    self._reasons.setdefault(first, self._reasons.pop(root))

    def refuse(self, labels: Tensor, reason: str) -> None:
        """None of these may go."""
        for label in sorted(set(labels[labels != 0].long().tolist())):
            self._reasons.setdefault(self.find(label), reason)

    def reasons(self) -> dict[int, str]:
        """Why some may not go, by the label that stands for each."""
        return dict(self._reasons)


def numbers(labels: Tensor) -> list[int]:
    """The labels that are there, in order, as whole numbers."""
    found: list[int] = labels[labels != 0].long().flatten().tolist()
    return found


def varying(plane: Tensor) -> frozenset[int]:
    """The axes along which the labels change."""
    return frozenset(axis for axis, size in enumerate(plane.shape) if size > 1)


def compact(plane: Tensor) -> Tensor | None:
    """The plane with size 1 along each axis where labels do not change; None if none is left."""
    for axis, size in enumerate(plane.shape):
        if size > 1:
            first = plane.narrow(axis, 0, 1)
            if plane.stride(axis) == 0 or bool((plane == first).all()):
                plane = first
    return plane.clone() if varying(plane) else None


def along(labels: Tensor, axis: int, axes: int) -> Tensor:
    """(labels,) as a plane of a tensor of so many axes."""
    return labels.reshape([-1 if axis == at else 1 for at in range(axes)])


def broadcast(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both planes at the size that they have together."""
    axes = max(one.dim(), other.dim())
    one, other = align(one, axes), align(other, axes)
    size = [max(sizes) for sizes in zip(one.shape, other.shape, strict=True)]
    return one.expand(size), other.expand(size)


def align(plane: Tensor, axes: int) -> Tensor:
    """The plane with axes of size 1 put in front, as broadcasting does."""
    return plane.reshape((1,) * (axes - plane.dim()) + tuple(plane.shape))
