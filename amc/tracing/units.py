"""From channels that go together to groups: pure functions on plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from amc.graph import Group, Indices, Layer, Member, Side, Slice, Statistic


@dataclass(frozen=True, order=True)
class Over:
    """The axis that an operation takes something over: a mean, say.

    Args:
        call: Its number among the operations of its name in the forward pass.
        axis: Of its first tensor.
        size: Places along it.
    """

    call: int
    axis: int
    size: int


Place = Side | int | Over
"""A side of a module; an axis of a tensor that is of no known module; or one of an operation."""

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


def group_units(
    units: Sequence[Unit],
    layers: Sequence[Layer],
    makers: Mapping[tuple[str, Place], str] | None = None,
) -> tuple[Group, ...]:
    """Units of one signature form a group.

    Those that no weighted layer makes are left out, and so is a unit that is alone: it must stay.

    Args:
        units: Any.
        layers: Of the network.
        makers: For axes of tensors outside of known modules, the layer that makes channels by it.
    """
    order = {layer.name: index for index, layer in enumerate(layers)}
    made_in: dict[tuple[str, Place], str] = {
        (layer.name, "out"): layer.name for layer in layers if layer.kind not in ("norm", "own")
    }
    made_in.update(makers or {})
    multiplied = {name for name, _ in makers or {}}
    by_signature: dict[Signature, list[Unit]] = defaultdict(list)
    for unit in units:
        by_signature[unit.signature].append(unit)
    found = []
    for signature, alike in by_signature.items():
        outs = {made_in[name, side] for name, side, _ in signature if (name, side) in made_in}
        if outs and len(alike) > 1:
            made_by = tuple(sorted(outs, key=order.__getitem__))
            members, slices, statistics = [], [], []
            for row, (name, side, _) in enumerate(signature):
                places = tuple(unit.parts[row][2] for unit in alike)
                if isinstance(side, Over):
                    statistics.append(Statistic(name, side.call, side.axis, side.size, places))
                elif isinstance(side, int):
                    side_of: Side = "out" if (name, side) in made_in else "in"
                    known = side_of if name in multiplied else None
                    slices.append(Slice(name, side, places, known))
                else:
                    members.append(Member(name, side, places))
            found.append(
                Group(
                    *(made_by[0], len(alike), tuple(members), made_by),
                    slices=tuple(slices),
                    statistics=tuple(statistics),
                )
            )
    return tuple(found)


def join(groups: Sequence[Group]) -> Group:
    """One group of several with equally many units: unit u is unit u of each of them."""
    if len(groups) == 1:
        return groups[0]
    sides: dict[tuple[str, Side], Indices] = {}
    axes: dict[Slice, Indices] = {}
    over: dict[Statistic, Indices] = {}
    nothing: Indices = ((),) * groups[0].units
    for group in groups:
        for member in group.members:
            side = (member.module, member.side)
            sides[side] = _side_by_side(sides.get(side, nothing), member.indices)
        for part in group.slices:
            axis = replace(part, indices=())
            axes[axis] = _side_by_side(axes.get(axis, nothing), part.indices)
        for one in group.statistics:
            what = replace(one, indices=())
            over[what] = _side_by_side(over.get(what, nothing), one.indices)
    return replace(
        groups[0],
        members=tuple(Member(*side, rows) for side, rows in sides.items()),
        slices=tuple(replace(axis, indices=rows) for axis, rows in axes.items()),
        statistics=tuple(replace(what, indices=rows) for what, rows in over.items()),
        layers=tuple(dict.fromkeys(name for group in groups for name in group.layers)),
    )


def _side_by_side(one: Indices, other: Indices) -> Indices:
    return tuple((*left, *right) for left, right in zip(one, other, strict=True))


def in_order(groups: Iterable[Group], layers: Sequence[Layer]) -> tuple[Group, ...]:
    """Groups in the order of their first layer; those that share it are numbered."""
    order = {layer.name: index for index, layer in enumerate(layers)}
    seen: dict[str, int] = defaultdict(int)
    named = []
    for group in sorted(groups, key=lambda group: (order[group.layers[0]], _first(group))):
        first = group.layers[0]
        seen[first] += 1
        suffix = f"#{seen[first]}" if seen[first] > 1 else ""
        named.append(replace(group, name=first + suffix))
    return tuple(named)


def _first(group: Group) -> int:
    """Where the group begins in its first layer."""
    outs = [m for m in group.members if (m.module, m.side) == (group.layers[0], "out")]
    return min(outs[0].indices[0]) if outs else 0
