"""Channels as arrays: whose each is, its place there, and its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amc.tracing.flow import Flow
from amc.tracing.ties import Integers
from amc.tracing.units import Place


@dataclass(frozen=True)
class Elements:
    """Channels of all sides of modules and axes of tensors that have labels.

    Attributes:
        sides: By name, which is the order that units have them in.
        side: (elements,) whose channel each is.
        index: (elements,) its place there.
        label: (elements,) of each.
    """

    sides: tuple[tuple[str, Place], ...]
    side: Integers
    index: Integers
    label: Integers

    @classmethod
    def of(cls, flow: Flow) -> Elements:
        """All of a forward pass."""
        sides = sorted(flow.elements, key=lambda side: (side[0], str(side[1])))
        rank = {side: at for at, side in enumerate(sides)}
        own = [ids.long().numpy() for ids in flow.elements.values()]
        side = [np.full(len(ids), rank[one]) for one, ids in zip(flow.elements, own, strict=True)]
        index = [np.arange(len(ids)) for ids in own]
        label = np.concatenate([*own, np.zeros(0, np.int64)])
        there = label != 0
        places = np.concatenate([*index, label[:0]])[there]
        return cls(tuple(sides), np.concatenate([*side, label[:0]])[there], places, label[there])


@dataclass(frozen=True)
class Runs:
    """Elements in the order of what they are parts of, then of their sides and places there.

    Attributes:
        order: (elements,) their numbers.
        starts: Where each run of one part and one side begins in that, and the end.
        sides: Of each run.
        sizes: Of each run.
        parts: For each part the runs from which and before which it goes; those whose elements
            come first are first.
    """

    order: Integers
    starts: list[int]
    sides: list[int]
    sizes: list[int]
    parts: list[tuple[int, int]]

    @classmethod
    def of(cls, part: Integers, side: Integers, index: Integers) -> Runs:
        """From three numbers of each element."""
        _, first, which = np.unique(part, return_index=True, return_inverse=True)
        seen = np.argsort(np.argsort(first))[which]
        order = np.lexsort((index, side, seen))
        new_part = np.diff(seen[order], prepend=-1) != 0
        begins = np.flatnonzero(new_part | (np.diff(side[order], prepend=-1) != 0))
        firsts = np.flatnonzero(new_part[begins])
        parts = zip(firsts.tolist(), [*firsts[1:].tolist(), len(begins)], strict=False)
        sizes = np.diff(begins, append=len(order))
        starts, sides = [*begins.tolist(), len(order)], side[order][begins].tolist()
        return cls(order, starts, sides, sizes.tolist(), list(parts))
