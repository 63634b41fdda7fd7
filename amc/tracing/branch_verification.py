"""Which branches may go: kinds of them are taken out together, in ways that are right for all."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from amc.graph import Branch, PruningGraph
from amc.modules import Inputs
from amc.surgery import Fault
from amc.tracing.branch_trials import SETS, BranchTrial
from amc.tracing.branches import find_branches
from amc.tracing.candidates import without_numbers
from amc.tracing.dependence import Dependence
from amc.tracing.trials import Trial

STEPS = 6
"""Other ways of a kind that are tried."""

MOST = 50
"""Trials after which branches that are not settled stay."""

NEAR = 4
"""Kinds of branches before a fault that are suspected of it."""

LAST = 6
"""Branches one of which may have to stay so that all others may go, from the last on."""


def with_branches(
    tried: Trial, graph: PruningGraph, several: Inputs, seen: Dependence
) -> tuple[PruningGraph, bool]:
    """The graph with the branches that may go as a whole; whether all groups were cut for that.

    Args:
        tried: The network, and its inputs; left as it is.
        graph: Its groups.
        several: Such inputs of several samples.
        seen: A forward pass on those.
    """
    model = tried.model
    trial = BranchTrial(model, graph, tried.inputs, several, seen.returned, tried.chooses)
    alike: dict[Hashable, list[tuple[Branch, ...]]] = {}
    for one in find_branches(model, graph, seen):
        alike.setdefault(_shape(one, seen), []).append(one)
    if not alike:
        return graph, False
    kin = list(alike.values())
    moved = _moved_on(kin, trial)
    numbers = [None] * len(kin) if moved is None else moved
    right = [
        [ways[number] for ways in one]
        for one, number in zip(kin, numbers, strict=True)
        if number is not None
    ]
    beside = [branch for one in right for branch in one]
    shown = trial.seen([one[-1] for one in right], beside)
    found = [branch for one in right if one[-1] in shown for branch in one]
    for alone, number in zip(kin, numbers, strict=True):
        found += _settle(alone, trial) if number is None else []
    again = moved is not None and trial.cuts_all(_gone(kin, moved))
    found.sort(key=lambda branch: branch.groups)
    return replace(graph, branches=tuple(_jointly(found, trial))), again


Kin = Sequence[tuple[Branch, ...]]
"""Branches that differ by numbers in names alone, each with the ways to take it out."""


def _moved_on(kin: Sequence[Kin], trial: BranchTrial) -> list[int | None] | None:
    """For each kind the way in which it goes, right beside all others; None where none was found.

    None for all together where a fault stays.

    Where a fault is, kinds whose last layer ran shortly before are taken out another way, or not at
    all, as long as layers run right further on.
    """
    numbers: list[int | None] = [0] * len(kin)
    sound, helped = set[str](), 0
    while waiting := [which for which in SETS if which not in sound]:
        which = waiting[0]
        found = trial.fault(_gone(kin, numbers), which)
        while found is not None:
            sound.clear()
            for at, number in _steps(kin, numbers, found, helped, trial):
                tried = [*numbers[:at], number, *numbers[at + 1 :]]
                then = trial.fault(_gone(kin, tried), which)
                if then is None or trial.progress(then) > trial.progress(found):
                    numbers, found, helped = tried, then, number or helped
                    break
            else:
                return None
            if found is not None and trial.count > MOST // 2:
                return None
        sound.add(which)
    trial.right.update(_gone(kin, numbers))
    return numbers


def _steps(
    kin: Sequence[Kin], numbers: Sequence[int | None], found: Fault, helped: int, trial: BranchTrial
) -> Iterator[tuple[int, int | None]]:
    """Kinds near a fault, each with the numbers of other ways, the likeliest first, and none.

    Args:
        kin: All of them.
        numbers: Of the ways that were tried.
        found: The fault.
        helped: The number that helped another kind.
        trial: Of the network.
    """
    order, here = trial.graph.layer_index, trial.reached(found)

    def before(branch: Branch) -> float:
        """The last layer of it that would have run, if it is one."""
        last, first = order[branch.reader], min(order[name] for name in branch.layers)
        return min(last, here) if first <= here + 1 else -1

    ends = [max(before(ways[0]) for ways in one) for one in kin]
    going = [at for at, number in enumerate(numbers) if number is not None]
    for at in sorted(going, key=lambda at: -ends[at])[:NEAR]:
        others = [number for number in _likely(kin[at][0]) if number != numbers[at]]
        for number in sorted(others[:STEPS], key=lambda number: number != helped):
            yield at, number
        yield at, None


def _likely(ways: Sequence[Branch]) -> list[int]:
    """Of each form one way, before others that differ by their axis or by what lies behind."""
    forms = [(way.name, way.form) for way in ways]
    again = [forms[:number].count(form) for number, form in enumerate(forms)]
    return sorted(range(len(ways)), key=again.__getitem__)


def _gone(kin: Sequence[Kin], numbers: Sequence[int | None]) -> list[Branch]:
    """The branches that go."""
    pairs = zip(kin, numbers, strict=True)
    gone = [ways[number] for one, number in pairs if number is not None for ways in one]
    return sorted(gone, key=lambda branch: branch.groups)


def _jointly(found: list[Branch], trial: BranchTrial) -> list[Branch]:
    """Those that may go in any combination.

    Where all together may not, often one has to stay, whichever: of attentions to a class token,
    say. The last one that does is taken.
    """
    if not found:
        return found
    trial.trains(found)  # whether fewer do need not be asked then
    if not trial.together(found):
        return found
    for one in found[: -(LAST + 1) : -1]:
        others = [branch for branch in found if branch is not one]
        if others and not trial.together(others):
            return others
    sound: list[Branch] = []
    waiting = [found]
    while waiting:
        some = waiting.pop()
        if not trial.together([*sound, *some]):
            sound += some
        elif len(some) > 1:
            half = len(some) // 2
            waiting += [some[half:], some[:half]]
    return sound


def _shape(ways: tuple[Branch, ...], seen: Dependence) -> Hashable:
    """What branches have in common that differ by numbers in names alone.

    The first block of a stage often makes another shape than it reads, and those behind it do not.
    """
    return tuple(
        (
            *(without_numbers(way.name), way.form, way.axis, way.axes),
            *(way.returns, way.shortcut, way.activation, len(way.layers)),
            seen.ran[way.name].read == seen.ran[way.name].shapes[0],
        )
        for way in ways
    )


def _settle(alike: Kin, trial: BranchTrial) -> list[Branch]:
    """Repeated branches, all taken out in the first way that is right for the last of them."""
    for number in _likely(alike[-1])[:STEPS]:
        if trial.count > MOST:
            break
        if not trial(alike[-1][number]):
            return [ways[number] for ways in alike]
    return []
