"""Branches proved: a network without one computes what it does with zeros in that place."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import Inputs, call, changed, first_call, plain_attention, samples_of, tensors
from amc.surgery import Depth, cut, fault, fault_in_training, seen_constants
from amc.tracing.branches import find_branches
from amc.tracing.candidates import without_numbers
from amc.tracing.dependence import Dependence

TRIALS = 1
"""Random sets of branches that are taken out together, beside all of them."""

LAST = 6
"""Branches one of which may have to stay so that all others may go, from the last on."""


def with_branches(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> PruningGraph:
    """The graph with the branches that may go as a whole.

    Args:
        model: Randomised (`amc.tracing.revealing.tried_on`); left as it is.
        graph: Its groups.
        inputs: Of its forward pass.
    """
    trial = _Trial(model, graph, inputs, _several(model, inputs))
    ways = find_branches(model, graph, Dependence.of(model, first_call(trial.several)))
    alike: dict[Hashable, list[tuple[Branch, ...]]] = {}
    for one in ways:
        alike.setdefault(_shape(one), []).append(one)
    firsts = [one[0] for one in ways]
    right = bool(firsts) and not trial.differs(firsts)
    shown = trial.seen([one[-1][0] for one in alike.values()], firsts) if right else []
    found = [
        branch
        for one in alike.values()
        for branch in (_firsts(one, shown) if right else _settle(one, trial))
    ]
    found.sort(key=lambda branch: branch.groups)
    return replace(graph, branches=tuple(_jointly(found, trial)))


def _jointly(found: list[Branch], trial: _Trial) -> list[Branch]:
    """Those that may go in any combination.

    Where all together may not, often one has to stay, whichever: of attentions to a class token,
    say. The last one that does is taken.
    """
    if not found or not trial.together(found):
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


@dataclass(frozen=True)
class _Trial:
    """Tells what is wrong when branches are taken out; empty if nothing is.

    Args:
        model: Randomised.
        graph: Its groups.
        inputs: Of its forward pass.
        several: Such inputs of more samples, where it takes them.
        right: Branches of which any may go, as was seen.
    """

    model: nn.Module
    graph: PruningGraph
    inputs: Inputs
    several: Inputs
    right: set[Branch] = field(default_factory=set)

    def __call__(self, branch: Branch) -> str:
        """Take out one."""
        graph = replace(self.graph, branches=(branch,))
        units = _units(graph, (branch,))
        if found := fault(self.model, graph, units, self.several):
            return found.reason
        return "" if self.seen([branch]) else "another constant in its place would not be seen"

    def seen(self, branches: Sequence[Branch], beside: Sequence[Branch] = ()) -> list[Branch]:
        """Those in whose place wrong constants would be seen: while others are gone, or alone."""
        shown = []
        if beside:
            graph = replace(self.graph, branches=tuple(beside))
            units = _units(graph, beside)
            free = [one for one in branches if one in Depth.of(graph, units).branches]
            shown = seen_constants(self.model, graph, units, self.inputs, free)
        for one in branches:
            if one not in shown:
                graph = replace(self.graph, branches=(one,))
                units = _units(graph, (one,))
                shown += seen_constants(self.model, graph, units, self.inputs, (one,))
        return shown

    def together(self, branches: Sequence[Branch]) -> str:
        """Take out all of them, and some."""
        return self._varies(branches) or self.differs(branches) or self._trains(branches)

    def differs(self, branches: Sequence[Branch]) -> str:
        """Take out all of them, and some: what is computed otherwise then."""
        if self.right.issuperset(branches):
            return ""
        graph = replace(self.graph, branches=tuple(branches))
        for units in (_units(graph, branches), *self._some(graph)):
            if found := fault(self.model, graph, units, self.several):
                return found.reason
        self.right.update(branches)
        return ""

    def _some(self, graph: PruningGraph) -> Iterator[KeptUnits]:
        """Units that stay where some branches are gone, and some units of what is left."""
        for seed in range(TRIALS):
            generator = torch.Generator().manual_seed(seed)
            some = [x for x in graph.branches if torch.rand((), generator=generator) < 1 / 2]
            yield _units(graph, some, generator)

    def _trains(self, branches: Sequence[Branch]) -> str:
        """What keeps the network without these from learning."""
        graph = replace(self.graph, branches=tuple(branches))
        for units in (_units(graph, branches), *self._some(graph)):
            if fails := fault_in_training(self.model, graph, units, self.several, step=True):
                return fails
        return ""

    def _varies(self, branches: Sequence[Branch]) -> str:
        """Whether each output still depends on the inputs, if it did; why not."""
        graph = replace(self.graph, branches=tuple(branches))
        smaller = cut(self.model, graph, _units(graph, branches), sharing=True)
        changes = self._changes(smaller)
        if all(changes) or all(
            varies or not did
            for varies, did in zip(changes, self._changes(self.model), strict=True)
        ):
            return ""
        return "its outputs then no longer depend on the inputs"

    def _changes(self, model: nn.Module) -> list[bool]:
        with torch.no_grad(), plain_attention():
            one, two = (tensors(call(model, x)) for x in (self.inputs, _others(self.inputs)))
        return [a.shape != b.shape or not torch.equal(a, b) for a, b in zip(one, two, strict=True)]


def _several(model: nn.Module, inputs: Inputs) -> Inputs:
    """Inputs of several samples, where the network takes them: one hides what has one place."""
    if samples_of(inputs) != 1:
        return inputs

    def twice(tensor: Tensor) -> Tensor:
        batched = tensor.dim() and tensor.shape[0] == 1
        return torch.cat([tensor, _other(tensor)]) if batched else tensor

    several: Inputs = changed(inputs, twice)
    with torch.no_grad(), plain_attention():
        try:
            call(model, several)
        except Exception:  # code that fixes a number of samples may raise anything
            return inputs
    return several


def _others(inputs: Inputs) -> Any:
    """Inputs of the same shapes with other numbers in them."""

    return changed(inputs, _other)


def _other(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point():
        return tensor.flip(-1) * 0.5 + 0.1
    return tensor.roll(1, -1) if tensor.dim() else tensor


def _shape(ways: tuple[Branch, ...]) -> Hashable:
    """What branches have in common that differ by numbers in names alone."""
    return tuple(
        (
            *(without_numbers(way.name), way.form, way.axis, way.axes),
            *(way.returns, way.shortcut, way.activation),
        )
        for way in ways
    )


def _firsts(alike: Sequence[tuple[Branch, ...]], shown: Collection[Branch]) -> list[Branch]:
    """Repeated branches, which are right in their first way, if a mistake would have been seen."""
    return [ways[0] for ways in alike] if alike[-1][0] in shown else []


def _settle(alike: Sequence[tuple[Branch, ...]], trial: _Trial) -> list[Branch]:
    """Repeated branches, all taken out in the first way that is right for the last of them."""
    for number, way in enumerate(alike[-1]):
        if not trial(way):
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
