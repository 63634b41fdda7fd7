"""From channels that go together to groups: pure functions on plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from amc.graph import Attribute, Group, Indices, Layer, Member, Side, Slice

Place = Side | int
"""A side of a module; or an axis of a tensor that is of no known module."""

Element = tuple[str, Place, int]
"""A channel of one side of a module, by the module's name, or a place along a tensor's axis."""

Signature = tuple[tuple[str, Place, int], ...]
"""Sides of modules and axes of tensors, and how many channels of each."""


@dataclass(frozen=True)
class Unit:
    """Channels that must go together: for each side of a module, its positions."""

    parts: tuple[tuple[str, Place, tuple[int, ...]], ...]

    @property
    def signature(self) -> Signature:
        """What units of one group share: the sides they touch and how many channels of each."""
        return tuple((module, side, len(indices)) for module, side, indices in self.parts)


def unit_of(elements: Iterable[Element]) -> Unit:
    """The unit that consists of these channels."""
    positions: dict[tuple[str, Place], list[int]] = defaultdict(list)
    for name, side, index in sorted(elements):
        positions[name, side].append(index)
    return Unit(tuple((name, side, tuple(where)) for (name, side), where in positions.items()))


def group_units(
    units: Sequence[Unit], layers: Sequence[Layer], attributes: tuple[Attribute, ...] = ()
) -> tuple[Group, ...]:
    """Units of one signature form a group.

    Those that no weighted layer makes are left out, and so is a unit that is alone: it must stay.
    """
    order = {layer.name: index for index, layer in enumerate(layers)}
    weighted = {layer.name for layer in layers if layer.kind != "norm"}
    by_signature: dict[Signature, list[Unit]] = defaultdict(list)
    for unit in units:
        by_signature[unit.signature].append(unit)
    found = []
    for signature, alike in by_signature.items():
        outs = {name for name, side, _ in signature if side == "out" and name in weighted}
        if outs and len(alike) > 1:
            made_by = tuple(sorted(outs, key=order.__getitem__))
            members, slices = [], []
            for row, (name, side, _) in enumerate(signature):
                places = tuple(unit.parts[row][2] for unit in alike)
                if isinstance(side, int):
                    slices.append(Slice(name, side, places))
                else:
                    members.append(Member(name, side, places))
            found.append(
                Group(
                    *(made_by[0], len(alike), tuple(members), made_by),
                    attributes=attributes,
                    slices=tuple(slices),
                )
            )
    return tuple(found)


def join(groups: Sequence[Group]) -> Group:
    """One group of several with equally many units: unit u is unit u of each of them."""
    sides: dict[tuple[str, Side], Indices] = {}
    axes: dict[tuple[str, int], Indices] = {}
    nothing: Indices = ((),) * groups[0].units
    for group in groups:
        for member in group.members:
            side = (member.module, member.side)
            sides[side] = _side_by_side(sides.get(side, nothing), member.indices)
        for part in group.slices:
            axis = (part.tensor, part.axis)
            axes[axis] = _side_by_side(axes.get(axis, nothing), part.indices)
    return replace(
        groups[0],
        members=tuple(Member(*side, rows) for side, rows in sides.items()),
        slices=tuple(Slice(*axis, rows) for axis, rows in axes.items()),
        layers=tuple(dict.fromkeys(name for group in groups for name in group.layers)),
    )


def _side_by_side(one: Indices, other: Indices) -> Indices:
    return tuple((*left, *right) for left, right in zip(one, other, strict=True))


def in_order(groups: Iterable[Group], layers: Sequence[Layer]) -> tuple[Group, ...]:
    """Groups in the order of their first layer; those that share it are numbered."""
    order = {layer.name: index for index, layer in enumerate(layers)}
    seen: dict[str, int] = defaultdict(int)
    named = []
    for group in sorted(groups, key=lambda group: (order[group.name], _first(group))):
        seen[group.name] += 1
        suffix = f"#{seen[group.name]}" if seen[group.name] > 1 else ""
        named.append(replace(group, name=group.name + suffix))
    return tuple(named)


def _first(group: Group) -> int:
    """Where the group begins in its first layer."""
    outs = [m for m in group.members if (m.module, m.side) == (group.name, "out")]
    return min(outs[0].indices[0])
