"""Random policies at a budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amc.graph import Kept
from amc.problem import Problem
from amc.rules import project, uniform


def random_policies(problem: Problem, count: int, seed: int) -> list[Kept]:
    """Distinct policies that use the budget up, from wild ones to ones near the uniform policy.

    Ratios are drawn around the uniform one with a width that differs from policy to policy, as it
    does from the beginning of a search to its end.
    """
    generator = np.random.default_rng(seed)
    groups = problem.graph.full
    centre = 1 - sum(uniform(problem.limits)) / sum(groups)
    found: dict[Kept, None] = {}
    for width in spread(count):
        while True:
            ratios = np.clip(generator.normal(centre, width, len(groups)), 0.01, 0.99)
            kept = project(problem.limits, ratios)
            if kept not in found:
                found[kept] = None
                break
    return [list(found)[number] for number in generator.permutation(count)]


def spread(count: int) -> Sequence[float]:
    """Widths, from 0.5 down to 0.02 by equal factors."""
    return [float(width) for width in np.geomspace(0.5, 0.02, count)]
