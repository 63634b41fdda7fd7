"""From channels that go together to groups: pure functions on plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amc.structure import Group, Layer, Member, Side

Element = tuple[str, Side, int]
"""A channel of one side of a module, by the module's name."""


@dataclass(frozen=True)
class Unit:
    """Channels that must go together: for each side of a module, its positions."""

    parts: tuple[tuple[str, Side, tuple[int, ...]], ...]

    @property
    def signature(self) -> tuple[tuple[str, Side, int], ...]:
        """What units of one group share: the sides they touch and how many channels of each."""
        return tuple((module, side, len(indices)) for module, side, indices in self.parts)


def merged(closures: Sequence[set[Element]]) -> list[Unit]:
    """Units: closures that share an element become one."""
    owner: dict[Element, int] = {}
    joint: dict[int, set[Element]] = {}
    for number, closure in enumerate(closures):
        joined = set(closure)
        for other in {owner[element] for element in closure if element in owner}:
            joined |= joint.pop(other)
        joint[number] = joined
        owner.update(dict.fromkeys(joined, number))
    return [_unit(elements) for elements in joint.values()]


def _unit(elements: set[Element]) -> Unit:
    positions: dict[tuple[str, Side], list[int]] = defaultdict(list)
    for name, side, index in sorted(elements):
        positions[name, side].append(index)
    return Unit(tuple((name, side, tuple(where)) for (name, side), where in positions.items()))


def grouped(units: Sequence[Unit], layers: tuple[Layer, ...]) -> tuple[Group, ...]:
    """Units of one signature form a group; groups stand in the order of their first layer."""
    order = {layer.name: index for index, layer in enumerate(layers)}
    weighted = {layer.name for layer in layers if layer.kind != "norm"}
    by_signature: dict[tuple[tuple[str, Side, int], ...], list[Unit]] = defaultdict(list)
    for unit in units:
        known = Unit(tuple(part for part in unit.parts if part[0] in order))
        by_signature[known.signature].append(known)
    found = []
    for signature, alike in by_signature.items():
        outs = {name for name, side, _ in signature if side == "out" and name in weighted}
        made_by = tuple(sorted(outs, key=order.__getitem__))
        members = tuple(
            Member(name, side, tuple(unit.parts[row][2] for unit in alike))
            for row, (name, side, _) in enumerate(signature)
        )
        found.append(Group(made_by[0], len(alike), members, made_by))
    found.sort(key=lambda group: order[group.name])
    return _distinct(found)


def _distinct(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Groups that share their first layer are numbered, so that every name is unique."""
    seen: dict[str, int] = defaultdict(int)
    named = []
    for group in groups:
        seen[group.name] += 1
        suffix = f"#{seen[group.name]}" if seen[group.name] > 1 else ""
        named.append(Group(group.name + suffix, group.units, group.members, group.layers))
    return tuple(named)
