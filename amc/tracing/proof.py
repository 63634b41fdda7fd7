"""What is proved of a network: groups that can be cut, branches that may go; why others stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch

from amc.graph import Branch, Group, PruningGraph, narrower
from amc.modules import Inputs, call, plain_attention
from amc.surgery import cut, fault
from amc.tracing.branch_trials import without
from amc.tracing.branch_verification import with_branches
from amc.tracing.branches import width_of
from amc.tracing.candidates import Candidate
from amc.tracing.control import hidden
from amc.tracing.dependence import Dependence
from amc.tracing.revealing import several_samples, tried_on
from amc.tracing.trials import Trial
from amc.tracing.verification import verify

SEEDS = (0, 1)
"""Of the random cuts that groups must pass; in place of the second stands the proof of branches,
beside which all other groups are cut anew."""

PART = 4
"""One of so many units is left of a group, in a small network."""

UNITS, CHANNELS = 2, 16
"""Of a group there at least: fewer may all be at zero behind a ReLU, which hides mistakes."""


@dataclass(frozen=True)
class Proved:
    """What may be cut of a network.

    Attributes:
        groups: Alone and together.
        branches: In any combination.
        reasons: Why other layers stay whole.
    """

    groups: tuple[Group, ...]
    branches: tuple[Branch, ...]
    reasons: Mapping[str, str]


def prove(
    trial: Trial,
    candidates: Sequence[Candidate],
    reasons: Mapping[str, str],
    untold: Collection[str] = (),
) -> Proved:
    """Find what can be cut of these blocks, and the branches that may go.

    Args:
        trial: Of the network.
        candidates: The blocks.
        reasons: Why layers of other blocks stay whole.
        untold: Layers that run in training alone.
    """
    for seeds in (SEEDS[:1], SEEDS):
        found, again = _tried(replace(trial, seeds=seeds), candidates, reasons, untold)
        if again or seeds == SEEDS or trial(found.groups, SEEDS[1:]) is None:
            break
    return found


def _tried(
    trial: Trial,
    candidates: Sequence[Candidate],
    reasons: Mapping[str, str],
    untold: Collection[str],
) -> tuple[Proved, bool]:
    """The same after so many random cuts; whether all groups were cut once more for branches."""
    verified, told = verify(trial, candidates), dict(reasons)
    for block, reason in verified.refused:
        for name in block.layers:
            told.setdefault(name, reason)
    if not verified.groups:
        return Proved((), (), told), True
    graph = PruningGraph(trial.layers, verified.groups)
    small, narrow, several, seen = _small(trial, graph)
    unseen = hidden(small.model, narrow.groups, small.inputs, seen, untold)
    for one in unseen:
        told |= dict.fromkeys(one.group.layers, one.reason)
    gone = {one.group.name for one in unseen}
    graph, narrow = (_without(one, gone) for one in (graph, narrow))
    narrow, again = with_branches(small, narrow, several, seen)
    branches = tuple(_of_width(branch, graph) for branch in narrow.branches)
    if small is not trial and branches and _fails(trial, replace(graph, branches=branches)):
        whole, again = with_branches(trial, graph, *several_samples(trial.model, trial.inputs))
        branches = whole.branches
    return Proved(graph.groups, branches, told), again


def _of_width(branch: Branch, graph: PruningGraph) -> Branch:
    return replace(branch, width=width_of(graph, branch.reader))


def _fails(trial: Trial, graph: PruningGraph) -> bool:
    """Whether the whole network does not go on without all of its branches."""
    units = without(graph, graph.branches)
    return fault(trial.model, graph, units, trial.inputs, chooses=trial.chooses) is not None


def _without(graph: PruningGraph, names: Collection[str]) -> PruningGraph:
    return replace(graph, groups=tuple(one for one in graph.groups if one.name not in names))


def _small(trial: Trial, graph: PruningGraph) -> tuple[Trial, PruningGraph, Inputs, Dependence]:
    """The network with few channels, its graph, inputs of several samples, and a pass of those.

    That this cut is right was proved; what else is proved of the small network is taken to hold for
    the whole one, and each pass takes a part of the time. The network itself, where its code does
    not run.
    """
    if any(_few(group) < group.units for group in graph.groups):
        with suppress(Exception):  # the network's own code may raise anything
            small, narrow = _narrowed(trial, graph)
            with torch.no_grad(), plain_attention():
                call(small.model, small.inputs)
            return small, narrow, *several_samples(small.model, small.inputs)
    return trial, graph, *several_samples(trial.model, trial.inputs)


def _narrowed(trial: Trial, graph: PruningGraph) -> tuple[Trial, PruningGraph]:
    generator = torch.Generator().manual_seed(0)
    units = []
    for group in graph.groups:
        order = torch.randperm(group.units, generator=generator)
        units.append(tuple(sorted(order[: _few(group)].tolist())))
    model = tried_on(cut(trial.model, graph, tuple(units)), trial.inputs)
    narrow = narrower(graph, tuple(units))
    return replace(trial, model=model, layers=narrow.layers), narrow


def _few(group: Group) -> int:
    """Units that are left of it."""
    each = max(len(part.indices[0]) for part in group.parts)
    return min(group.units, max(UNITS, -(-CHANNELS // each), group.units // PART))
