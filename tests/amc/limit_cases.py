"""Budgets on small perceptrons, and hypothesis strategies for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from amc.costs import COSTS, Limits
from amc.granularity import Rounding
from amc.graph import PruningGraph
from amc.policy import Budget
from amc.tracing.build import trace


@cache
def perceptron(widths: tuple[int, ...]) -> PruningGraph:
    """Linear layers with these numbers of hidden units, each a group; 5 inputs and 3 outputs."""
    sizes = (5, *widths, 3)
    layers = (nn.Linear(one, other) for one, other in pairwise(sizes))
    return trace(nn.Sequential(*layers), torch.zeros(1, 5))


def limits_of(graph: PruningGraph, *budgets: Budget, **rounding: Any) -> Limits:
    """The budgets on a network, with the settings of `Rounding`."""
    return Limits.of(graph, budgets, COSTS, Rounding(**rounding))


@dataclass(frozen=True)
class Case:
    """Limits that can be met, and ratios to start from."""

    limits: Limits
    ratios: list[float]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Networks of one to four groups, with roundings, one budget or two, and ratios."""
    widths = draw(st.lists(st.sampled_from([2, 3, 7, 16, 33, 64]), min_size=1, max_size=4))
    rounding = Rounding(draw(st.sampled_from([1, 2, 8])), draw(st.floats(0.1, 0.95)))
    graph = perceptron(tuple(widths))
    free = Limits.of(graph, [], COSTS, rounding)
    budgets = []
    for name in draw(st.lists(st.sampled_from(["macs", "params"]), min_size=1, unique=True)):
        cost = COSTS[name](graph)
        least = cost(free.smallest) / cost(graph.full)
        budgets.append(Budget(name, min(1.0, draw(st.floats(least, 1)) * (1 + 1e-12))))
    ratios = st.one_of(st.just(0.0), st.floats(0, 1))
    asked = draw(st.lists(ratios, min_size=len(widths), max_size=len(widths)))
    return Case(Limits.of(graph, budgets, COSTS, rounding), asked)
