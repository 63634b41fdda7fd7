"""From labels to widths: how work and loose tensors shrink with the groups that were proved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.graph import Group, Product, Width
from amc.surgery import tensor_of
from amc.tracing.flow import Flow
from amc.tracing.forward import Trace

ABSENT, FREE = -1, -2
"""Of a place without a label, and of a label of no group."""


class Owners:
    """Which unit of which group a label goes with.

    Args:
        flow: Of the forward pass.
        groups: Proved.
    """

    def __init__(self, flow: Flow, groups: Sequence[Group]) -> None:
        self._atoms = flow.atoms
        self._most = max((group.units for group in groups), default=1)
        self._known: dict[int, int] = {0: ABSENT}
        for number, group in enumerate(groups):
            for labels, indices in _labels_of(flow, group):
                for unit, places in enumerate(indices):
                    for place in places:
                        root = self._atoms.find(labels[place])
                        self._known[root] = number * self._most + unit
        self._follow(flow)

    def _follow(self, flow: Flow) -> None:
        """A label that stands for others goes with them where they all go with one unit."""
        waiting = flow.links
        while True:
            left = []
            for label, members in waiting:
                units = {self._known.get(self._atoms.find(one), FREE) for one in members}
                if len(units) == 1 and (unit := units.pop()) >= 0:
                    self._known.setdefault(self._atoms.find(label), unit)
                else:
                    left.append((label, members))
            if len(left) == len(waiting):
                return
            waiting = left

    def width(self, labels: Tensor) -> Width:
        """Of an axis, from (size, labels) the labels at each of its places."""
        unique, places = np.unique(labels.numpy().astype(np.int64), return_inverse=True)
        found = [self._known.get(self._atoms.find(one), FREE) for one in unique.tolist()]
        codes = np.array(found)[places].reshape(labels.shape)
        least = np.where(codes == ABSENT, np.iinfo(np.int64).max, codes).min(1)
        unit = np.where(codes.max(1) == least, least, FREE)
        return self._counted(unit[unit >= 0], len(unit))

    def _counted(self, units: NDArray[np.int64], size: int) -> Width:
        parts, taken = [], 0
        for group in np.unique(units // self._most).tolist():
            own = units[units // self._most == group]
            counts = np.unique(own, return_counts=True)[1]
            if len(set(counts.tolist())) == 1:
                parts.append((group, int(counts[0])))
                taken += len(own)
        return Width(size - taken, tuple(parts))


def _labels_of(flow: Flow, group: Group) -> Iterator[tuple[list[int], Sequence[Sequence[int]]]]:
    for member in group.members:
        yield flow.elements[member.module, member.side].long().tolist(), member.indices
    for part in group.slices:
        yield flow.elements[part.tensor, part.axis].long().tolist(), part.indices


def products(trace: Trace, groups: Sequence[Group]) -> tuple[Product, ...]:
    """The work that no layer does, for one sample; alike of one module together."""
    owners = Owners(trace.flow, groups)
    found: dict[tuple[str, tuple[Width, ...]], float] = defaultdict(float)
    for work in trace.work:
        axes = [(len(labels), owners.width(labels)) for labels in work.axes]
        shrinking = [(size, width) for size, width in axes if width.parts]
        each = work.macs / trace.batch / prod(size for size, _ in shrinking)
        found[work.name, tuple(width for _, width in shrinking)] += each
    return tuple(Product(name, each, widths) for (name, widths), each in found.items() if each)


def loose(model: nn.Module, groups: Sequence[Group]) -> tuple[Product, ...]:
    """Numbers of the tensors of no known module that shrink with a group."""
    axes: dict[str, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, group in enumerate(groups):
        for part in group.slices:
            axes[part.tensor][part.axis].append((number, len(part.indices[0])))
    found = []
    for name, shrinking in axes.items():
        shape, widths, each = tensor_of(model, name).shape, [], 1.0
        for axis, size in enumerate(shape):
            parts = tuple(shrinking.get(axis, ()))
            if not parts:
                each *= size
                continue
            taken = sum(groups[number].units * own for number, own in parts)
            widths.append(Width(size - taken, parts))
        found.append(Product(name, each, tuple(widths)))
    return tuple(found)
