"""One proposal of NetAdapt: the current network with one more group narrowed to the target."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import torch
from torch import nn

from amc.criteria import KeptUnits, best_units, scores
from amc.problem import Problem
from amc.structure import Layer, Member, PruningGraph, Side
from amc.surgery import cut

Kept = tuple[int, ...]


@dataclass(frozen=True)
class State:
    """Where the loop stands.

    Args:
        network: The adapted network, really smaller.
        graph: Its graph; group by group the same as the unpruned network's, only narrower.
        tuned_steps: Gradient steps that it has had.
    """

    network: nn.Module
    graph: PruningGraph
    tuned_steps: int = 0

    @property
    def kept(self) -> Kept:
        """Units that are left, per group."""
        return self.graph.full


def resource(problem: Problem, kept: Kept) -> float:
    """Use of the scarcest budget: 1 where it is met exactly.

    NetAdapt has one resource; with several budgets the one that is furthest from being met counts.
    """
    return max(item.cost(kept) / item.most for item in problem.limits.items)


def narrowed(problem: Problem, kept: Kept, group: int, target: float) -> Kept | None:
    """`kept` with the most units of one group that bring the resource to the target.

    Returns:
        None where even the fewest units that the group may keep do not reach it: a proposal that
        misses the target must not compete.
    """
    counts = [count for count in problem.limits.counts[group] if count < kept[group]]
    for count in reversed(counts):
        tried = (*kept[:group], count, *kept[group + 1 :])
        if resource(problem, tried) <= target:
            return tried
    return None


def cut_further(state: State, kept: Kept, criterion: str) -> State:
    """The state's network cut to fewer units, ranked by its own present weights."""
    with torch.no_grad():
        units = best_units(scores(criterion, state.network, state.graph), kept)
        network = cut(state.network, state.graph, units)
    return State(network, narrower(state.graph, units), state.tuned_steps)


def narrower(graph: PruningGraph, units: KeptUnits) -> PruningGraph:
    """The graph of the network that is left when `graph`'s is cut to these units.

    Not traced again: what is left of a depthwise convolution of one channel looks like any other,
    and would fall out of its group.
    """
    outputs, inputs = graph.widths([len(staying) for staying in units])
    layers = map(_resized, graph.layers, outputs.tolist(), inputs.tolist())
    gone = _gone(graph, units)
    groups = tuple(
        replace(
            group,
            units=len(staying),
            members=tuple(
                _renumbered(member, staying, gone[member.module, member.side])
                for member in group.members
            ),
        )
        for group, staying in zip(graph.groups, units, strict=True)
    )
    return replace(graph, layers=tuple(layers), groups=groups)


def _resized(layer: Layer, outputs: int, inputs: int) -> Layer:
    if layer.depthwise:
        return replace(layer, outputs=outputs, inputs=outputs, groups=outputs)
    return replace(layer, outputs=outputs, inputs=outputs if layer.kind == "norm" else inputs)


def _gone(graph: PruningGraph, units: KeptUnits) -> dict[tuple[str, Side], list[int]]:
    """For each side of each module, the positions that it loses to any group, ascending."""
    gone: dict[tuple[str, Side], list[int]] = {}
    for group, staying in zip(graph.groups, units, strict=True):
        leaving = set(range(group.units)) - set(staying)
        for member in group.members:
            lost = gone.setdefault((member.module, member.side), [])
            lost += [index for unit in leaving for index in member.indices[unit]]
    return {side: sorted(lost) for side, lost in gone.items()}


def _renumbered(member: Member, staying: tuple[int, ...], gone: list[int]) -> Member:
    """The member without the units that go; positions move up into the gaps."""
    indices = tuple(
        tuple(index - bisect_left(gone, index) for index in member.indices[unit])
        for unit in staying
    )
    return replace(member, indices=indices)
