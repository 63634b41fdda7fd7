"""Verification: a copy cut at random ratios computes the same as the masked one, or stays whole.

All blocks are tried at once, each in the first of its proposals (ways to cut, and numbers of the
code that change with a cut). Where that fails, a trial tells how far the network was right: blocks
near there go to another way, or stay whole, as long as that moves the fault on; where nothing does,
halves of the blocks are tried. What is left out is tried alone, blocks that repeat once.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from amc.graph import Group
from amc.tracing.candidates import Candidate, without_numbers
from amc.tracing.couplings import Block
from amc.tracing.joining import as_one, fits
from amc.tracing.trials import Trial
from amc.tracing.units import in_order


@dataclass(frozen=True)
class Verified:
    """What a trial of all blocks gave.

    Attributes:
        groups: Sound, alone and together.
        refused: Blocks that stay whole, with the reason.
    """

    groups: tuple[Group, ...]
    refused: tuple[tuple[Block, str], ...]


def verify(trial: Trial, candidates: Sequence[Candidate]) -> Verified:
    """Find for every block the first sound way to cut it.

    Args:
        trial: Of the network.
        candidates: The blocks.
    """
    kin, layers = _repeated(candidates), trial.layers
    together = _moved_on(kin, trial) or _halved(kin, trial)
    chosen = [item for alike in together for item in alike]
    taken = {item.block for item in chosen}
    others = [alike for alike in kin if alike[0].block not in taken]
    if not others:
        return Verified(in_order(_groups(together), layers), ())
    failed: list[Candidate] = []
    known: dict[Hashable, tuple[str, ...]] = {}
    for alike in others:
        settled, reason = _settle(alike, trial, known)
        chosen += settled
        failed += [replace(item, reason=reason) for item in alike if not settled]
    alone = len(chosen) > len(taken)
    chosen, failed = _by_width(chosen, failed, trial)
    refused = [(item.block, item.reason) for item in failed]
    groups = _groups([chosen])
    joined = len(groups) != len(_groups(together)) or alone
    if not joined or trial(groups, trial.seeds) is None:
        return Verified(in_order(groups, layers), tuple(refused))
    sound, more = _one_beside_the_other(chosen, trial)
    return Verified(in_order(sound, layers), (*refused, *more))


Kin = Sequence[Candidate]
"""Blocks that differ by numbers in names alone: all are cut in the same way."""


def _groups(kin: Iterable[Kin]) -> list[Group]:
    """What is cut of all of these, each in the first of its ways."""
    return [group for alike in kin for item in alike for group in item.ways[0]]


def _moved_on(kin: Sequence[Kin], trial: Trial) -> list[Kin]:
    """Blocks that are right together, with the ways to cut them; none if a fault stays.

    A step towards that takes other ways, or leaves blocks out, where layers ran right further on.
    """
    chosen, again, last, whole = list(kin), False, 1, set[Hashable]()
    for seed in trial.seeds:
        found = trial(_groups(chosen), (seed,))
        again |= found is not None and seed != trial.seeds[0]
        while found is not None:
            for step in _steps(chosen, (*found.ahead, *found.near), last, whole):
                then = trial(_groups(step.chosen), (seed,))
                if then is None or then.progress > found.progress:
                    chosen, found, last = step.chosen, then, step.number or last
                    whole |= step.whole
                    break
            else:
                return []
    return [] if again and trial(_groups(chosen), trial.seeds) else chosen


def _halved(kin: Sequence[Kin], trial: Trial) -> list[Kin]:
    """Blocks that are right together in their first ways, found by trying halves of them."""
    right: list[Kin] = []
    waiting = [list(kin)]
    while waiting:
        some = waiting.pop()
        if trial(_groups([*right, *some])) is None:
            right += some
        elif len(some) > 1:
            half = len(some) // 2
            waiting += [some[half:], some[:half]]
    return right if trial(_groups(right), trial.seeds[1:]) is None else []


@dataclass(frozen=True)
class _Step:
    """What else could be cut.

    Attributes:
        chosen: With one of the blocks near a fault cut in another way, or some left whole.
        number: Of the ways that are passed over; 0 where blocks are left whole.
        whole: The names of those.
    """

    chosen: list[Kin]
    number: int = 0
    whole: frozenset[Hashable] = frozenset()


def _steps(
    chosen: list[Kin], near: Sequence[str], last: int, whole: Collection[Hashable]
) -> Iterator[_Step]:
    """All of them, the likeliest first.

    Args:
        chosen: What was cut.
        near: Layers near the fault.
        last: The number that helped other blocks.
        whole: Names of blocks that were left whole.
    """
    ranks = [_rank(alike, near) for alike in chosen]
    suspects = sorted((at for at, rank in enumerate(ranks) if rank), key=lambda at: -ranks[at])
    stays = [at for at in suspects if _names(chosen[at]) in whole]
    if stays:
        yield _left_whole(chosen, stays)
        yield _left_whole(chosen, suspects)
    for at in suspects:
        count = len(chosen[at][0].ways)
        for number in sorted(range(1, count), key=lambda number: number != last):
            other = [replace(item, ways=item.ways[number:]) for item in chosen[at]]
            yield _Step([*chosen[:at], other, *chosen[at + 1 :]], number)
    yield from (_left_whole(chosen, [at]) for at in suspects if [at] != stays)
    if len(suspects) > 1 and not stays:
        yield _left_whole(chosen, suspects)


def _left_whole(chosen: list[Kin], which: Collection[int]) -> _Step:
    names = frozenset(_names(chosen[at]) for at in which)
    return _Step([alike for at, alike in enumerate(chosen) if at not in which], whole=names)


def _names(alike: Kin) -> Hashable:
    """What blocks have in common that are the same but for their sizes."""
    return frozenset(map(without_numbers, alike[0].block.layers))


def _rank(alike: Kin, near: Sequence[str]) -> int:
    """How likely a fault is one of these blocks'; 0 for not at all."""
    members = [member for group in _groups([alike]) for member in group.members]
    made = {member.module for member in members if member.side == "out"}
    touched = {member.module for member in members}
    return max(
        ((name in touched) + (name in made) * (at + 1) for at, name in enumerate(near)), default=0
    )


def _repeated(candidates: Sequence[Candidate]) -> list[Kin]:
    """Blocks that differ by numbers in names alone, as those of a repeated part do."""
    alike: dict[Hashable, list[Candidate]] = {}
    for item in candidates:
        alike.setdefault(_shape(item), []).append(item)
    return list(alike.values())


def _shape(item: Candidate) -> Hashable:
    return tuple(
        tuple(
            (
                group.units,
                tuple(
                    (without_numbers(m.module), m.side, len(m.indices[0])) for m in group.members
                ),
                tuple((without_numbers(s.tensor), s.axis, len(s.indices[0])) for s in group.slices),
                tuple((s.operation, s.axis, len(s.indices[0])) for s in group.statistics),
                tuple((without_numbers(a.module), a.name, a.per_unit) for a in group.attributes),
            )
            for group in way
        )
        for way in item.ways
    )


def _settle(
    alike: Kin, trial: Trial, known: dict[Hashable, tuple[str, ...]]
) -> tuple[list[Candidate], str]:
    """Repeated blocks with the ways that are left after the first of them was tried; or why not.

    The last one is tried too before all are refused, as the first may read what others do not.

    Args:
        alike: The blocks.
        trial: Of the network.
        known: Where blocks of these names fail in the first of their ways, and then in all others.
    """
    reason, names = "", _names(alike)
    for item in dict.fromkeys((alike[0], alike[-1])):
        near: tuple[str, ...] = ()
        for number, way in enumerate(item.ways):
            own = trial(way)
            if own is None:
                return [replace(one, ways=one.ways[number:]) for one in alike], ""
            reason = reason or own.reason
            near = near or tuple(map(without_numbers, own.near))
            if near == known.get(names):
                break  # It fails as the other did.
        known[names] = near
    return [], alike[0].reason or reason


def _by_width(
    chosen: list[Candidate], failed: list[Candidate], trial: Trial
) -> tuple[list[Candidate], list[Candidate]]:
    """Try blocks that fail alone as one decision with one that is as wide, the widest first."""
    settled, left, vain = list(chosen), list(failed), set[Hashable]()
    for item in sorted((*chosen, *failed), key=lambda item: -len(item.ways[0][0].members)):
        if not left:
            break
        if (item not in settled and item not in left) or len(item.ways[0]) > 1:
            continue  # It is part of another by now, or no one decision.
        if (shape := _shape(item)) in vain:
            continue
        partners, joined = _joined(item, left, trial)
        if joined is None:
            vain.add(shape)
        else:
            gone = [item, *partners]
            layers = item.block.layers.union(*(one.block.layers for one in partners))
            settled = [one for one in settled if one not in gone]
            left = [one for one in left if one not in gone]
            settled.append(Candidate(replace(item.block, layers=layers), ((joined,),)))
    return settled, left


def _joined(
    item: Candidate, left: Sequence[Candidate], trial: Trial
) -> tuple[list[Candidate], Group | None]:
    """Blocks that failed and with which a wide one can be cut, and how."""
    wide = item.ways[0][0]
    reads = {member.module for member in wide.members if member.side == "in"}
    near = [one for one in left if one is not item and one.block.layers & reads]
    tried: list[Candidate] = []
    for closely in (True, False):
        partners = [one for one in near if fits(wide, one.ways, closely=closely)]
        if partners and partners != tried:
            ways = [one.ways for one in partners]
            joined = next((one for one in as_one(wide, ways) if trial((one,)) is None), None)
            if joined is not None:
                return partners, joined
        tried = partners
    return [], None


def _one_beside_the_other(
    candidates: Sequence[Candidate], trial: Trial
) -> tuple[list[Group], list[tuple[Block, str]]]:
    sound: list[Group] = []
    refused: list[tuple[Block, str]] = []
    waiting = list(candidates)
    while waiting:
        failed = _accept(waiting, sound, trial)
        # Those that another block's cut made fail get another chance with their next way only.
        waiting = [replace(item, ways=item.ways[1:], reason=reason) for item, reason in failed]
        refused += [(item.block, item.reason) for item in waiting if not item.ways]
        waiting = [item for item in waiting if item.ways]
    return sound, refused


def _accept(
    items: list[Candidate], sound: list[Group], trial: Trial
) -> list[tuple[Candidate, str]]:
    """Add to `sound` each item whose first way is; the others, with what is wrong."""
    groups = _groups([items])
    found = trial([*sound, *groups], trial.seeds)
    if found is None:
        sound += groups
        return []
    if len(items) == 1:
        return [(items[0], items[0].reason or found.reason)]
    half = len(items) // 2
    return _accept(items[:half], sound, trial) + _accept(items[half:], sound, trial)
