"""Decisions that code ties by a number alone: heads whose total width has to be the network's.

`x.reshape(batch, places, channels)` with the channels counted on the input works on where attention
and the residual stream lose the same. No label says so, because numbers have none; so where a block
fails alone, it is tried as one decision with a group that is as wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from amc.graph import Attribute, Group
from amc.tracing.units import join

Ways = Sequence[tuple[Group, ...]]


def as_one(wide: Group, others: Sequence[Ways]) -> Iterator[Group]:
    """Ways to cut a wide group and blocks of its width by one decision, the finest first.

    Args:
        wide: Whose units are single channels.
        others: Of each block that failed alone, its ways to be cut.
    """
    fitting = [[group for group in _single(ways) if _is_as_wide(group, wide)] for ways in others]
    if not fitting or not all(fitting):
        return
    counts = set.intersection(*({group.units for group in groups} for groups in fitting))
    for units in sorted(counts, reverse=True):
        alike = [[group for group in groups if group.units == units] for groups in fitting]
        for choice in range(max(map(len, alike))):
            chosen = [groups[min(choice, len(groups) - 1)] for groups in alike]
            yield _join(_bundle(wide, units), chosen)


def fits(wide: Group, ways: Ways) -> bool:
    """Whether a block has a way to be cut in which it is as wide."""
    return any(_is_as_wide(group, wide) for group in _single(ways))


def _single(ways: Ways) -> Iterator[Group]:
    return chain.from_iterable(way for way in ways if len(way) == 1)


def _is_as_wide(group: Group, wide: Group) -> bool:
    if group.units == wide.units or any(len(one.indices[0]) > 1 for one in wide.members):
        return False
    inputs = (member for member in group.members if member.side == "in")
    return any(group.units * len(member.indices[0]) == wide.units for member in inputs)


def _bundle(wide: Group, units: int) -> Group:
    """Fewer units, each of as many in a row."""
    each = wide.units // units

    def bundled(indices: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        rows = (indices[at * each : (at + 1) * each] for at in range(units))
        return tuple(tuple(chain.from_iterable(row)) for row in rows)

    return replace(
        wide,
        units=units,
        members=tuple(replace(one, indices=bundled(one.indices)) for one in wide.members),
        slices=tuple(replace(one, indices=bundled(one.indices)) for one in wide.slices),
        attributes=tuple(replace(one, per_unit=one.per_unit * each) for one in wide.attributes),
    )


def _join(wide: Group, others: Sequence[Group]) -> Group:
    numbers: dict[tuple[str, str], Attribute] = {}
    for item in (*wide.attributes, *chain.from_iterable(group.attributes for group in others)):
        numbers.setdefault((item.module, item.name), item)
    return replace(join((wide, *others)), attributes=tuple(numbers.values()))
