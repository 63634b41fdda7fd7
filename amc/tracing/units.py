"""From channels that go together to groups: pure functions on plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from amc.graph import Attribute, Group, Layer, Member, Side

Element = tuple[str, Side, int]
"""A channel of one side of a module, by the module's name."""

Signature = tuple[tuple[str, Side, int], ...]
"""Sides of modules, and how many channels of each."""


@dataclass(frozen=True)
class Unit:
    """Channels that must go together: for each side of a module, its positions."""

    parts: tuple[tuple[str, Side, tuple[int, ...]], ...]

    @property
    def signature(self) -> Signature:
        """What units of one group share: the sides they touch and how many channels of each."""
        return tuple((module, side, len(indices)) for module, side, indices in self.parts)


def unit_of(elements: Iterable[Element]) -> Unit:
    """The unit that consists of these channels."""
    positions: dict[tuple[str, Side], list[int]] = defaultdict(list)
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
            members = tuple(
                Member(name, side, tuple(unit.parts[row][2] for unit in alike))
                for row, (name, side, _) in enumerate(signature)
            )
            found.append(Group(made_by[0], len(alike), members, made_by, attributes=attributes))
    return tuple(found)


def join(groups: Sequence[Group]) -> Group:
    """One group of several with equally many units: unit u is unit u of each of them."""
    places: dict[tuple[str, Side], list[tuple[int, ...]]] = {}
    for member in (member for group in groups for member in group.members):
        known = places.get((member.module, member.side), [()] * groups[0].units)
        places[member.module, member.side] = [
            (*one, *other) for one, other in zip(known, member.indices, strict=True)
        ]
    members = tuple(Member(name, side, tuple(rows)) for (name, side), rows in places.items())
    layers = tuple(dict.fromkeys(name for group in groups for name in group.layers))
    return replace(groups[0], members=members, layers=layers)


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
