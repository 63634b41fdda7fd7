"""How the tensors of a forward pass shrink with the groups, told by passes of cut networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from amc.graph import PruningGraph
from amc.modules import Inputs, changed
from amc.surgery import cut
from amc.tracing.recording import Pass, alike, attempt, recorded
from amc.tracing.revealing import other_numbers

Parts = tuple[tuple[int, int], ...]
"""Groups that shrink an axis, by their place, and what of it each of their units takes."""

Pattern = tuple[float, ...]
"""Of units that go in each pass, as parts of the most."""

PASSES = 3
"""Forward passes from which sizes are told; one more confirms them."""

MOST_PASSES = 8
"""The same where so few do not tell all groups apart."""

DRAWS = 50
"""For each group, before another pass is added."""

MOST_LESS = 0.9
"""Part of its units that a group loses in one of these, at most."""

MANY = 16
"""Units of which half go at least."""


def shrinking(
    model: nn.Module, graph: PruningGraph, full: Pass, inputs: Inputs
) -> list[list[Parts]]:
    """For each tensor of a pass and each of its axes, how it shrinks.

    Where one unit is left other operations may run, as axes of one place need no copy. So groups of
    more units keep two, and those of two are looked at alone where all together do not tell.
    """
    units, most = np.array(graph.full, np.int64), _most(graph)
    found = _together(model, graph, full, inputs, most)
    few = units - most < 2
    if found is None and few.any() and not few.all():
        found = _together(model, graph, full, inputs, np.where(few, 0, most))
        if found is not None:
            alone = _one_by_one(model, graph, full, inputs, np.flatnonzero(few).tolist())
            return [
                [_sum(both) for both in zip(one, other, strict=True)]
                for one, other in zip(found, alone, strict=True)
            ]
    if found is None and _depends_on_numbers(model, graph, inputs):
        return _at_first(model, graph, full, inputs, most)
    return found or _one_by_one(model, graph, full, inputs, range(len(units)))


def _most(graph: PruningGraph) -> NDArray[np.int64]:
    """(groups,) units that may go without that other operations run."""
    units = np.array(graph.full, np.int64)
    return np.clip((units * MOST_LESS).astype(np.int64), 1, np.maximum(units - 2, 1))


def growing(
    model: nn.Module, graph: PruningGraph, full: Pass, once: Inputs, twice: Inputs
) -> list[bool]:
    """Whether each tensor of a pass grows with the samples.

    Args:
        model: Left as it is.
        graph: Its groups.
        full: Its pass.
        once: Inputs of that.
        twice: The same with all samples twice.
    """
    small, own = model, full
    if graph.groups:
        narrow = _smaller(model, graph, _most(graph))
        if (made := attempt(narrow, once, full)) is not None:
            small, own = narrow, made
    more = attempt(small, twice, own)
    return [more is None or more[at].bytes != made.bytes for at, made in enumerate(own)]


def _together(
    model: nn.Module, graph: PruningGraph, full: Pass, inputs: Inputs, most: NDArray[np.int64]
) -> list[list[Parts]] | None:
    """What a few passes tell in which groups lose some units, at most these; None if nothing."""
    less = _less(most)
    passes: list[Pass] = []
    for row in less:
        made = attempt(_smaller(model, graph, row), inputs, full)
        if made is None:
            return None
        passes.append(made)
    return _sure(full, passes, less)


def _sure(full: Pass, passes: Sequence[Pass], less: NDArray[np.int64]) -> list[list[Parts]] | None:
    """What all passes but the last tell, if that confirms it; axes of unknown size stay."""
    found = _told(full, passes[:-1], less[:-1])
    if not _confirmed(full, found, passes[-1], less[-1]):
        return None
    return [[parts or () for parts in own] for own in found]


def _depends_on_numbers(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> bool:
    """Whether the sizes of tensors do, as of the boxes that a detector finds."""
    small = _smaller(model, graph, _most(graph))
    one, two = (recorded(small, x) for x in (inputs, changed(inputs, other_numbers)))
    return [made.shape for made in one] != [made.shape for made in two]


def _at_first(
    model: nn.Module, graph: PruningGraph, full: Pass, inputs: Inputs, most: NDArray[np.int64]
) -> list[list[Parts]]:
    """What passes tell of the tensors before those that there may be any number of.

    From there on tensors are taken not to shrink.
    """
    less = _less(most)
    passes = [recorded(_smaller(model, graph, row), inputs) for row in less]
    count = min(alike(full, one) for one in passes)
    told = _sure(full[:count], [one[:count] for one in passes], less) or []
    rest: list[list[Parts]] = [[()] * len(made.shape) for made in full[len(told) :]]
    return told + rest


def _less(most: NDArray[np.int64]) -> NDArray[np.int64]:
    """(passes, groups) units that go: as few passes as tell all groups apart, and another one.

    Args:
        most: (groups,) that may go.
    """
    chance = np.random.default_rng(0)
    columns: list[NDArray[np.int64]] = []
    for passes in range(PASSES, MOST_PASSES + 1):
        columns, seen = [], set[Pattern]()
        for units in most.tolist():
            drawn, pattern = _drawn(chance, units, passes, seen)
            columns.append(drawn)
            if units:
                seen.add(pattern)
        if len(seen) == np.count_nonzero(most):
            break
    last = chance.integers(_least(most), most, (1, len(most)), endpoint=True)
    return np.concatenate([np.array(columns).T, last])


def _least(most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Units that go, where these may: of many half, as the pass of a small network is quick."""
    return np.where(most < MANY, 0, most // 2)


def _drawn(
    chance: np.random.Generator, units: int, passes: int, seen: Container[Pattern]
) -> tuple[NDArray[np.int64], Pattern]:
    """(passes,) units of one group that go, and what is the same of all multiples of that.

    Some that nobody has seen, if any are found.
    """
    for _ in range(DRAWS):
        drawn = chance.integers(_least(np.array(units)), units, passes, endpoint=True)
        pattern = _pattern(drawn)
        if pattern not in seen and drawn.any():
            break
    return drawn, pattern


def _pattern(units: NDArray[np.int64]) -> Pattern:
    """What all multiples of these have in common."""
    return tuple((units / max(1, int(units.max()))).tolist())


def _smaller(model: nn.Module, graph: PruningGraph, less: NDArray[np.int64]) -> nn.Module:
    """The network with so many units less of each group, the last ones."""
    units = [tuple(range(n - gone)) for n, gone in zip(graph.full, less.tolist(), strict=True)]
    return cut(model, graph, tuple(units), sharing=True)


def _told(full: Pass, passes: Sequence[Pass], less: NDArray[np.int64]) -> list[list[Parts | None]]:
    """What sizes tell; None of an axis whose sizes they do not, as what boxes a detector finds.

    Args:
        full: The pass of the whole network.
        passes: Of the smaller ones.
        less: (passes, groups) units that these have less.
    """
    known: dict[tuple[int, ...], Parts | None] = {(0,) * len(passes): ()}
    patterns = {_pattern(units): group for group, units in enumerate(less.T) if units.any()}
    found: list[list[Parts | None]] = []
    for at, made in enumerate(full):
        sizes = np.array([other[at].shape for other in passes]).reshape(len(passes), -1)
        gone = (np.array(made.shape, np.int64) - sizes).T  # (axes, passes)
        own: list[Parts | None] = []
        for axis, taken in enumerate(map(tuple, gone.tolist())):
            if taken not in known and made.joined is not None and made.joined[0] == axis:
                joined = [found[one][axis] for one in made.joined[1]]
                known[taken] = None if None in joined else _sum(one for one in joined if one)
            if taken not in known:
                known[taken] = _of_few_groups(np.array(taken), less, patterns)
            own.append(known[taken])
        found.append(own)
    return found


def _sum(several: Iterable[Parts]) -> Parts:
    total: dict[int, int] = defaultdict(int)
    for parts in several:
        for group, each in parts:
            total[group] += each
    return tuple(sorted(total.items()))


def _of_few_groups(
    taken: NDArray[np.int64], less: NDArray[np.int64], patterns: Mapping[Pattern, int]
) -> Parts | None:
    """The one group that explains what is gone in each pass, or the two that do.

    Args:
        taken: (passes,) places that are gone.
        less: (passes, groups) units that are.
        patterns: That of each group alone.
    """
    alone = _of_one_group(taken, less, patterns)
    if alone is not None:
        return (alone,)
    pairs = set[Parts]()
    for group, units in enumerate(less.T):
        if units.any() and (units <= taken).all():
            for each in range(1, int((taken[units > 0] // units[units > 0]).min()) + 1):
                other = _of_one_group(taken - each * units, less, patterns)
                if other is not None and other[0] != group:
                    pairs.add(tuple(sorted(((group, each), other))))
    return pairs.pop() if len(pairs) == 1 else None


def _of_one_group(
    taken: NDArray[np.int64], less: NDArray[np.int64], patterns: Mapping[Pattern, int]
) -> tuple[int, int] | None:
    if taken.min() < 0 or not taken.any():
        return None
    group = patterns.get(_pattern(taken))
    if group is None:
        return None
    each, rest = divmod(int(taken.max()), int(less[:, group].max()))
    return (group, each) if not rest else None


def _confirmed(
    full: Pass, found: Sequence[Sequence[Parts | None]], other: Pass, less: NDArray[np.int64]
) -> bool:
    """Whether another pass has the sizes that were told."""
    return all(
        parts is None or size - sum(int(less[group]) * each for group, each in parts) == seen
        for made, own, there in zip(full, found, other, strict=True)
        for size, parts, seen in zip(made.shape, own, there.shape, strict=True)
    )


def _one_by_one(
    model: nn.Module, graph: PruningGraph, full: Pass, inputs: Inputs, groups: Sequence[int]
) -> list[list[Parts]]:
    """From a pass with one unit less of each of these groups.

    Where that runs other operations or none, tensors are taken not to shrink with the group.
    """
    alone = np.eye(len(graph.groups), dtype=np.int64)[list(groups)]
    fewer = [attempt(_smaller(model, graph, row), inputs, full) for row in alone]
    return [
        [
            tuple(
                (group, each)
                for group, other in zip(groups, fewer, strict=True)
                if other is not None and (each := size - other[at].shape[axis])
            )
            for axis, size in enumerate(made.shape)
        ]
        for at, made in enumerate(full)
    ]
