"""Decisions that code ties by a number alone: heads whose total width has to be the network's.

`x.reshape(batch, places, channels)` with the channels counted on the input works on where attention
and the residual stream lose the same. No label says so, because numbers have none; so where a block
fails alone, it is tried as one decision with a group that is as wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from amc.graph import Attribute, Group, Indices, Member, Part
from amc.tracing.units import join

Ways = Sequence[tuple[Group, ...]]


def as_one(wide: Group, others: Sequence[Ways]) -> Iterator[Group]:
    """Ways to cut a wide group and blocks of its width by one decision, the finest first.

    Args:
        wide: Whose units are single channels.
        others: Of each block that failed alone, its ways to be cut.
    """
    fitting = [[way for way in ways if _is_as_wide(way, wide)] for ways in others]
    if not fitting or not all(fitting):
        return
    # What has single channels too is bundled as the wide group is.
    fewer = [ways for ways in fitting if ways[0][0].units != wide.units]
    counts = set.intersection(*({way[0].units for way in ways} for ways in fewer or fitting))
    for units in sorted(counts, reverse=True):
        alike = [_of_units(ways, units) for ways in fitting]
        for choice in range(max(map(len, alike))):
            chosen = (ways[min(choice, len(ways) - 1)] for ways in alike)
            yield _join(_bundle(wide, units), list(chain.from_iterable(chosen)))


def _of_units(ways: Ways, units: int) -> list[tuple[Group, ...]]:
    """The ways that have so many units, or bundled have."""
    own = [way for way in ways if way[0].units == units]
    return own or [tuple(_bundle(group, units) for group in way) for way in ways]


def fits(wide: Group, ways: Ways, *, closely: bool) -> bool:
    """Whether a block has a way to be cut in which it is as wide.

    Args:
        wide: The group.
        ways: Of the block.
        closely: Only ways in other units that read channels as wide.
    """
    if not closely:
        return any(_is_as_wide(way, wide) for way in ways)
    others = (way for way in ways if _is_as_wide(way, wide) and way[0].units != wide.units)
    return any(_reads(way, wide) for way in others)


def _reads(way: tuple[Group, ...], wide: Group) -> bool:
    sides = ({m.side for m in group.members if _spans(m, group, wide)} for group in way)
    return all("in" in found for found in sides)


def _spans(member: Member, group: Group, wide: Group) -> bool:
    return group.units * len(member.indices[0]) == wide.units


def _is_as_wide(way: tuple[Group, ...], wide: Group) -> bool:
    return len({group.units for group in way}) == 1 and all(_fills(one, wide) for one in way)


def _fills(group: Group, wide: Group) -> bool:
    return any(_spans(member, group, wide) for member in group.members)


def _bundle(wide: Group, units: int) -> Group:
    """Fewer units, each of as many in a row."""
    each = wide.units // units

    def bundled(part: Part) -> Indices:
        rows = (part.indices[at * each : (at + 1) * each] for at in range(units))
        return tuple(tuple(chain.from_iterable(row)) for row in rows)

    numbers = (replace(one, per_unit=one.per_unit * each) for one in wide.attributes)
    return wide.moved(bundled, units=units, attributes=tuple(numbers))


def _join(wide: Group, others: Sequence[Group]) -> Group:
    numbers: dict[tuple[str, str], Attribute] = {}
    for item in (*wide.attributes, *chain.from_iterable(group.attributes for group in others)):
        numbers.setdefault((item.module, item.name), item)
    return replace(join((wide, *others)), attributes=tuple(numbers.values()))
