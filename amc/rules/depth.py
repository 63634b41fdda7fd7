"""The two hand-made rules that AMC is compared with: prune early layers more, or late ones.

He et al., "AMC: AutoML for Model Compression", ECCV 2018, table 2, calls them shallow and deep and
says no more than that they prune shallow and deep layers aggressively. The shape here is ours: a
straight ramp over the depth of the network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from amc.graph import PruningGraph
from amc.problem import Problem, SearchResult
from amc.rules.budgets import check_budget
from amc.rules.projection import Ratios, project


def depths(graph: PruningGraph) -> Ratios:
    """(groups,) how deep each group lies, in (0, 1).

    The i-th of n weighted layers in forward order, from 0, lies at (i + 1/2) / n; norms do not
    count. A group lies at the mean of the layers whose outputs it decides.
    """
    weighted = [layer.name for layer in graph.layers if layer.kind != "norm"]
    place = {name: (index + 0.5) / len(weighted) for index, name in enumerate(weighted)}
    return np.array([np.mean([place[name] for name in group.layers]) for group in graph.groups])


class _DepthRamp(ABC):
    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Evaluate the policy; nothing is random.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, type(self).__name__.lower())
        problem.restart()
        problem.evaluate(project(problem.limits, self.slopes(problem.graph)))
        return problem.result()

    @abstractmethod
    def slopes(self, graph: PruningGraph) -> Ratios:
        """(groups,) what each group's ratio grows by with s, in (0, 1)."""


@dataclass(frozen=True)
class Shallow(_DepthRamp):
    """Ratios that fall with depth, as a strategy of one evaluation.

    With d the depth of a group (see `depths`) its ratio is min(max_ratio, s (1 - d)); s is bisected
    to the budget.
    """

    def slopes(self, graph: PruningGraph) -> Ratios:
        """(groups,) what each group's ratio grows by with s, in (0, 1)."""
        return 1 - depths(graph)


@dataclass(frozen=True)
class Deep(_DepthRamp):
    """Ratios that rise with depth, as a strategy of one evaluation: min(max_ratio, s d)."""

    def slopes(self, graph: PruningGraph) -> Ratios:
        """(groups,) what each group's ratio grows by with s, in (0, 1)."""
        return depths(graph)
