"""One proposal of NetAdapt: the current network with one more group narrowed to the target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from amc.criteria import best_units, scores
from amc.graph import trace
from amc.problem import Problem
from amc.surgery import cut

Kept = tuple[int, ...]


@dataclass(frozen=True)
class State:
    """Where the loop stands.

    Args:
        network: The adapted network, really smaller.
        kept: Its kept counts, in terms of the unpruned network's groups.
        tuned_steps: Gradient steps that it has had.
    """

    network: nn.Module
    kept: Kept
    tuned_steps: int = 0


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


def cut_further(problem: Problem, state: State, kept: Kept, criterion: str) -> nn.Module:
    """The state's network cut to fewer units, ranked by its own present weights."""
    graph = trace(state.network, problem.example_inputs)
    with torch.no_grad():
        units = best_units(scores(criterion, state.network, graph), kept)
        return cut(state.network, graph, units)
