"""Which channels meet in a network: labels that travel with its tensors, and what ties them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import Tensor

from amc.tracing.labels import Atoms, Planes, align, along, broadcast, varying
from amc.tracing.units import Over, Place

Link = tuple[int, tuple[int, ...]]
"""A label, and labels that it stands for where they all go together: a head and its channels."""


@dataclass
class Flow:
    """All that is known of the labels of one forward pass.

    Attributes:
        atoms: The labels and their ties.
        elements: For each side of a module, axis of a tensor outside of known modules, or axis that
            an operation takes something over, (channels,) its labels; 0 where there is none.
        factorings: Labels of channels that code lays out along several axes, as heads are: it works
            on only where whole rows along one of these axes go.
        norm_groups: The same for the groups of a norm, as (groups, channels of one).
        links: Labels that stand for others.
        calls: How often each operation ran, by its name.
        makers: For axes of tensors that code multiplies with and so makes channels, the layer that
            stands for it.
        aside: Whether the pass is not the one that masked networks run.
    """

    atoms: Atoms = field(default_factory=Atoms)
    elements: dict[tuple[str, Place], Tensor] = field(default_factory=dict)
    factorings: list[Tensor] = field(default_factory=list)
    norm_groups: list[Tensor] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    makers: dict[tuple[str, Place], str] = field(default_factory=dict)
    aside: bool = False
    _planes: dict[int, tuple[Tensor, Planes]] = field(default_factory=dict)
    _slices: dict[tuple[int, int], list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def planes(self, tensor: Tensor) -> Planes:
        """The labels of a tensor."""
        return self._planes.get(id(tensor), (tensor, ()))[1]

    def knows(self, tensor: Tensor) -> bool:
        """Whether the tensor has been given labels, or none."""
        return id(tensor) in self._planes

    def label(self, tensor: Tensor, planes: Iterable[Tensor | None]) -> None:
        """Say what the labels of a tensor are; the tensor is kept, so that its id stays its own."""
        self._planes[id(tensor)] = (tensor, tuple(p for p in planes if p is not None))

    def refuse(self, planes: Iterable[Tensor], reason: str) -> None:
        """No channel of these planes may go."""
        for plane in planes:
            self.atoms.refuse(plane, reason)

    def fix(self, tensor: Tensor, reason: str) -> None:
        """Give a tensor channels along every axis, none of which may go."""
        planes = [
            along(self.atoms.fresh(size), axis, tensor.dim())
            for axis, size in enumerate(tensor.shape)
            if size > 1
        ]
        self.refuse(planes, reason)
        self.label(tensor, planes)

    def merge(self, planes: Iterable[Tensor]) -> list[Tensor]:
        """What labels numbers have that are computed from numbers at the same place."""
        found: list[Tensor] = []
        every = list(planes)
        axes = max((plane.dim() for plane in every), default=0)
        for plane in (align(plane, axes) for plane in every):
            self._merge(found, plane)
        return found

    def _merge(self, found: list[Tensor], plane: Tensor) -> None:
        for number, other in enumerate(found):
            ours, theirs = varying(plane), varying(other)
            if ours == theirs:
                self.atoms.tie(plane, other)
                found[number] = torch.where(other != 0, other, plane)
                return
            if ours < theirs or theirs < ours:
                coarse, fine = (plane, other) if ours < theirs else (other, plane)
                self._link(coarse, fine)
                found[number] = fine
                return
        found.append(plane)

    def _link(self, coarse: Tensor, fine: Tensor) -> None:
        """Each label of `coarse` stands for all labels of `fine` in its place."""
        left, right = broadcast(coarse, fine)
        members: dict[int, set[int]] = defaultdict(set)
        for label, member in zip(
            left.flatten().long().tolist(), right.flatten().long().tolist(), strict=True
        ):
            if label and member:
                members[label].add(member)
        self.links += [(label, tuple(sorted(those))) for label, those in members.items()]

    def residue(self, plane: Tensor, gone: Iterable[int]) -> Tensor | None:
        """Labels along the axes that are left when those in `gone` were summed over.

        Each stands for all labels that were summed to it.
        """
        removed = sorted(varying(plane) & set(gone))
        left = sorted(varying(plane) - set(gone))
        if not left:
            return None
        if not removed:
            return plane
        rows = plane.permute(*left, *(a for a in range(plane.dim()) if a not in left))
        rows = rows.reshape(*(plane.shape[axis] for axis in left), -1).flatten(0, len(left) - 1)
        kinds, which = torch.unique(rows, dim=0, return_inverse=True)
        fresh = self.atoms.fresh(len(kinds))
        for label, row in zip(fresh.long().tolist(), kinds.long().tolist(), strict=True):
            members = tuple(sorted({member for member in row if member}))
            if members:
                self.links.append((label, members))
        shape = [size if axis in left else 1 for axis, size in enumerate(plane.shape)]
        return fresh[which].reshape(shape)

    def over(self, operation: str, source: Tensor, axis: int) -> None:
        """Remember that the last operation of this name takes something over an axis."""
        for plane in self.planes(source):
            if varying(plane) == {axis}:
                self.over_places(operation, plane)

    def over_places(self, operation: str, plane: Tensor) -> None:
        """The same, with labels along that one axis."""
        (axis,) = varying(plane)
        if not self.aside:
            where = Over(self.calls[operation] - 1, axis, plane.shape[axis])
            self.elements[operation, where] = plane.flatten()

    def tie_parts(self, parts: Sequence[Tensor], axis: int) -> None:
        """Parts of equal size that a tensor is split into must stay of equal size."""
        if len({part.shape for part in parts}) == 1 and parts[0].shape[axis] > 1:
            for part in parts[1:]:
                self.atoms.tie(parts[0], part)

    def slice(self, source: Tensor, axis: int, part: Tensor) -> None:
        """Remember a slice of a tensor's channels."""
        self._slices[id(source), axis].append(part)

    def tie_slices(self) -> None:
        """Slices of equal size of one tensor, none of which overlap, are taken as its parts."""
        for (_, axis), slices in self._slices.items():
            for one, other in combinations(slices, 2):
                if one.shape == other.shape and not torch.isin(one, other).any():
                    self.tie_parts((one, other), axis)
