"""Branches proved: a network without one computes what it does with zeros in that place."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import Inputs, call, changed, other_calls, plain_attention, tensors
from amc.surgery import Depth, Fault, Known, cut, fault, fault_in_training, seen_constants
from amc.tracing.branches import find_branches
from amc.tracing.candidates import without_numbers
from amc.tracing.dependence import Dependence
from amc.tracing.revealing import other_numbers
from amc.tracing.trials import Trial

SETS = ("even", "odd", "all")
"""Of branches in the order they run, those that are taken out together: so each is gone beside the
one before, and beside the one after it."""

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
    trial = _Trial(model, graph, tried.inputs, several, seen.returned, tried.chooses)
    alike: dict[Hashable, list[tuple[Branch, ...]]] = {}
    for one in find_branches(model, graph, seen):
        alike.setdefault(_shape(one, seen), []).append(one)
    if not alike:
        return graph, False
    kin = list(alike.values())
    numbers = _moved_on(kin, trial)
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
    found.sort(key=lambda branch: branch.groups)
    return replace(graph, branches=tuple(_jointly(found, trial))), trial.again


Kin = Sequence[tuple[Branch, ...]]
"""Branches that differ by numbers in names alone, each with the ways to take it out."""


def _moved_on(kin: Sequence[Kin], trial: _Trial) -> list[int | None]:
    """For each kind the way in which it goes, right beside all others; None where none was found.

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
                return [None] * len(kin)
            if found is not None and trial.count > MOST // 2:
                return [None] * len(kin)
        sound.add(which)
    trial.right.update(_gone(kin, numbers))
    trial.again = True
    return numbers


def _steps(
    kin: Sequence[Kin], numbers: Sequence[int | None], found: Fault, helped: int, trial: _Trial
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


def _jointly(found: list[Branch], trial: _Trial) -> list[Branch]:
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


@dataclass
class _Trial:
    """Tells what is wrong when branches are taken out; empty if nothing is.

    Args:
        model: Randomised.
        graph: Its groups.
        inputs: Of its forward pass.
        several: Such inputs of more samples, where it takes them.
        whole: What the network makes of those, in the first call.
        chooses: Whether code sorts or selects.
        right: Branches of which any may go, as was seen.
        trained: Branches without which the network learns.
        again: Whether all groups were cut anew, beside branches that are gone.
        count: Of the trials so far.
        known: What masked networks made, by the set that goes.
    """

    model: nn.Module
    graph: PruningGraph
    inputs: Inputs
    several: Inputs
    whole: tuple[Tensor, ...]
    chooses: bool = False
    right: set[Branch] = field(default_factory=set)
    trained: set[Branch] = field(default_factory=set)
    again: bool = False
    count: int = 0
    known: dict[str, Known] = field(default_factory=lambda: {which: {} for which in SETS})

    def __call__(self, branch: Branch) -> str:
        """Take out one."""
        self.count += 1
        graph = replace(self.graph, branches=(branch,))
        units = _units(graph, (branch,))
        if found := fault(self.model, graph, units, self.several, chooses=self.chooses):
            return found.reason
        return "" if self.seen([branch]) else "another constant in its place would not be seen"

    def seen(self, branches: Sequence[Branch], beside: Sequence[Branch] = ()) -> list[Branch]:
        """Those in whose place wrong constants would be seen: while others are gone, or alone."""
        shown = []
        if beside:
            graph = replace(self.graph, branches=tuple(beside))
            units = _units(graph, beside)
            free = [one for one in branches if one in Depth.of(graph, units).branches]
            known = self.known["all"]
            shown = seen_constants(self.model, graph, units, self.several, free, known)
        for one in branches:
            if one not in shown:
                graph = replace(self.graph, branches=(one,))
                units = _units(graph, (one,))
                shown += seen_constants(self.model, graph, units, self.inputs, (one,))
        return shown

    def together(self, branches: Sequence[Branch]) -> str:
        """Take out all of them, and some."""
        return self._varies(branches) or self._differs(branches) or self.trains(branches)

    def _differs(self, branches: Sequence[Branch]) -> str:
        """What is computed otherwise then."""
        if self.right.issuperset(branches):
            return ""
        for which in SETS:
            if found := self.fault(branches, which):
                return found.reason
        self.right.update(branches)
        return ""

    def fault(self, branches: Sequence[Branch], which: str) -> Fault | None:
        """Take out one of the sets of them.

        Args:
            branches: In order.
            which: One of `SETS`.
        """
        self.count += 1
        graph = replace(self.graph, branches=tuple(branches))
        units = self._units(branches, which)
        inputs = self.several if which == "all" else self.inputs
        return fault(self.model, graph, units, inputs, self.known[which], chooses=self.chooses)

    def _units(self, branches: Sequence[Branch], which: str) -> KeptUnits:
        """Units that stay; beside some branches that are gone, some of what is left goes too."""
        if which == "all":
            return _units(self.graph, branches)
        generator = torch.Generator().manual_seed(0)
        return _units(self.graph, branches[which == "odd" :: 2], generator)

    def progress(self, found: Fault) -> tuple[bool, float]:
        """The larger, the less is wrong, as for `Fault.progress`: by the order of layers."""
        return found.progress[0], self.reached(found)

    def reached(self, found: Fault) -> float:
        """How far in the order of layers all ran."""
        order = self.graph.layer_index
        last = max((order[name] for name in found.near), default=-1)
        where = found.difference.where if found.difference is not None else ""
        return order[where] if where else last + 1 / 2

    def trains(self, branches: Sequence[Branch]) -> str:
        """What keeps the network without these from learning."""
        if self.trained.issuperset(branches):
            return ""
        graph = replace(self.graph, branches=tuple(branches))
        for which in SETS:
            units, fails = self._units(branches, which), ""
            # One sample takes half the time, and is enough but for norms over samples.
            for inputs in (self.inputs, self.several):
                fails = fault_in_training(self.model, graph, units, inputs, step=True)
                if not fails:
                    break
            if fails:
                return fails
        self.trained.update(branches)
        return ""

    def _varies(self, branches: Sequence[Branch]) -> str:
        """Whether each output still depends on the inputs, if it did; why not."""
        graph = replace(self.graph, branches=tuple(branches))
        try:
            smaller = cut(self.model, graph, _units(graph, branches), sharing=True)
            changes = self._changes(smaller)
        except Exception as error:  # the network's own code may raise anything
            return f"its forward pass fails then ({error})"
        if all(changes) or all(
            varies or not did for varies, did in zip(changes, self._whole_changes, strict=True)
        ):
            return ""
        return "its outputs then no longer depend on the inputs"

    @cached_property
    def _whole_changes(self) -> list[bool]:
        alone = not other_calls(self.inputs)
        if alone and self.several is not self.inputs and _of_two(self.whole):
            return [not torch.equal(*one) for one in self.whole]
        return self._changes(self.model)

    def _changes(self, model: nn.Module) -> list[bool]:
        """Of each output whether it does with the inputs."""
        with torch.no_grad(), plain_attention():
            if self.several is not self.inputs:
                both = tensors(call(model, self.several))  # which are the inputs, and others
                if _of_two(both):
                    return [not torch.equal(*one) for one in both]
            one, two = (tensors(call(model, x)) for x in (self.inputs, _others(self.inputs)))
        return [a.shape != b.shape or not torch.equal(a, b) for a, b in zip(one, two, strict=True)]


def _of_two(made: Sequence[Tensor]) -> bool:
    """Whether these are each of two samples."""
    return all(one.dim() > 0 and len(one) == 2 for one in made)


def _others(inputs: Inputs) -> Any:
    """Inputs of the same shapes with other numbers in them."""

    return changed(inputs, other_numbers)


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


def _settle(alike: Kin, trial: _Trial) -> list[Branch]:
    """Repeated branches, all taken out in the first way that is right for the last of them."""
    for number in _likely(alike[-1])[:STEPS]:
        if trial.count > MOST:
            break
        if not trial(alike[-1][number]):
            return [ways[number] for ways in alike]
    return []


def _units(
    graph: PruningGraph, branches: Sequence[Branch], generator: torch.Generator | None = None
) -> KeptUnits:
    """All units but those in these branches; of the others some at random, given a generator."""
    gone = {group for branch in branches for group in branch.within}
    kept = []
    for at, group in enumerate(graph.groups):
        order, count = torch.arange(group.units), 0 if at in gone else group.units
        if generator is not None and count > 1:
            order = torch.randperm(group.units, generator=generator)
            count = int(torch.randint(1, count, (), generator=generator))
        kept.append(tuple(sorted(order[:count].tolist())))
    return tuple(kept)
