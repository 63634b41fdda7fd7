"""Branches proved: a network without one computes what it does with zeros in that place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import Inputs, call, changed, other_calls, plain_attention, tensors
from amc.surgery import (
    Depth,
    Fault,
    Known,
    cut,
    fault,
    fault_in_training,
    seen_constants,
    training_fault,
)
from amc.tracing.revealing import other_numbers
from amc.tracing.trials import random_units

SETS = ("even", "odd", "all")
"""Of branches in the order they run, those that are taken out together: so each is gone beside the
one before, and beside the one after it."""


@dataclass
class BranchTrial:
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
    count: int = 0
    known: dict[str, Known] = field(default_factory=lambda: {which: {} for which in SETS})

    def __call__(self, branch: Branch) -> str:
        """Take out one."""
        self.count += 1
        graph = replace(self.graph, branches=(branch,))
        units = without(graph, (branch,))
        if found := fault(self.model, graph, units, self.several, chooses=self.chooses):
            return found.reason
        return "" if self.seen([branch]) else "another constant in its place would not be seen"

    def seen(self, branches: Sequence[Branch], beside: Sequence[Branch] = ()) -> list[Branch]:
        """Those in whose place wrong constants would be seen: while others are gone, or alone."""
        shown = []
        if beside:
            graph = replace(self.graph, branches=tuple(beside))
            units = without(graph, beside)
            free = [one for one in branches if one in Depth.of(graph, units).branches]
            known = self.known["all"]
            shown = seen_constants(self.model, graph, units, self.several, free, known)
        for one in branches:
            if one not in shown:
                graph = replace(self.graph, branches=(one,))
                units = without(graph, (one,))
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
            return without(self.graph, branches)
        odd = which == "odd"
        return without(self.graph, branches[odd::2], random_units(self.graph.groups, int(odd)))

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
            units = self._units(branches, which)
            fails = fault_in_training(self.model, graph, units, self._lesson, step=True)
            if fails:
                return fails
        self.trained.update(branches)
        return ""

    @cached_property
    def _lesson(self) -> Inputs:
        """Inputs that the whole network learns from: one sample, which takes half the time, but
        where norms take statistics over several."""
        return self.several if training_fault(self.model, self.inputs, step=True) else self.inputs

    def cuts_all(self, branches: Sequence[Branch]) -> bool:
        """Whether every group is cut in some set, and not gone in all."""
        sets = [self._units(branches, which) for which in SETS[:2]]
        return all(any(units[at] for units in sets) for at in range(len(self.graph.groups)))

    def _varies(self, branches: Sequence[Branch]) -> str:
        """Whether each output still depends on the inputs, if it did; why not."""
        graph = replace(self.graph, branches=tuple(branches))
        try:
            smaller = cut(self.model, graph, without(graph, branches), sharing=True)
            changes = self._changes(smaller)
            if all(changes) or all(
                varies or not did for varies, did in zip(changes, self._whole_changes, strict=True)
            ):
                return ""
        except Exception as error:  # the network's own code may raise anything
            return f"its forward pass fails then ({error})"
        return "its outputs then no longer depend on the inputs"

    @cached_property
    def _whole_changes(self) -> list[bool]:
        doubled = self.several is not self.inputs and not other_calls(self.inputs)
        changes = _between_two(self.whole) if doubled else None
        return changes if changes and all(changes) else self._changes(self.model)

    def _changes(self, model: nn.Module) -> list[bool]:
        """Of each output whether it does with the inputs."""
        with torch.no_grad(), plain_attention():
            doubled = self.several is not self.inputs
            changes = _between_two(tensors(call(model, self.several))) if doubled else None
            if changes is None or not all(changes):
                # What is at zero behind a ReLU on some inputs need not be on others.
                first = tensors(call(model, self.inputs))
                others = (tensors(call(model, x)) for x in _others(self.inputs))
                told = [[_differ(*one) for one in zip(first, x, strict=True)] for x in others]
                changes = [any(one) for one in zip(*told, strict=True)]
        return changes


def _differ(one: Tensor, other: Tensor) -> bool:
    return one.shape != other.shape or not torch.equal(one, other)


def _between_two(made: Sequence[Tensor]) -> list[bool] | None:
    """Whether each is another for the second of two samples; None where there are not two."""
    two = all(one.dim() > 0 and len(one) == 2 for one in made)
    return [not torch.equal(*one) for one in made] if two else None


def _others(inputs: Inputs) -> list[Any]:
    """Inputs of the same shapes with other numbers in them: turned round, and opposite."""
    opposite = changed(inputs, lambda one: one * -2 if one.is_floating_point() else one)
    return [changed(inputs, other_numbers), opposite]


def without(
    graph: PruningGraph, branches: Sequence[Branch], units: KeptUnits | None = None
) -> KeptUnits:
    """Units that stay where these branches go: of the others all, or those that are given."""
    gone = {group for branch in branches for group in branch.within}
    own = units or tuple(tuple(range(group.units)) for group in graph.groups)
    return tuple(() if at in gone else staying for at, staying in enumerate(own))
