"""Where a search begins: the uniform policy, or one that takes whole branches out before widths.

Where earlier searches have left something (`amc.earlier`), with the best of that.

At tight budgets the uniform policy leaves too little of every group to tell one change from
another, while a network without its least important branches still works. How much a branch
matters is measured by leaving it out alone (as Veit et al., "Residual Networks Behave Like
Ensembles of Relatively Shallow Networks", NIPS 2016, do); branches go in that order, and what is
left is pruned uniformly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amc.costs import Limits
from amc.earlier import TRIED
from amc.graph import Kept, PruningGraph
from amc.problem import Problem
from amc.rules.projection import project, project_all
from amc.rules.uniform_ratios import uniform

SHARE = 3
"""One evaluation in so many may go into what single branches matter."""

LITTLE = 0.1
"""A ratio that takes no branch out."""

LEVELS = 8
"""Numbers of branches that are taken out, evenly between none and all."""

CLEARLY = 0.03
"""Merit that fewer branches cost at least, where it is no chance."""

PATIENCE = 2
"""Levels that are clearly worse than the best, one after the other, before no further is tried."""


def starting_policy(problem: Problem, episodes: int) -> Kept:
    """Kept counts within the budgets that a search begins with.

    They have been evaluated, but where nothing may go as a whole.

    Args:
        problem: Whose evaluations these are.
        episodes: That the search may take in all.
    """
    first = uniform(problem.limits)
    if problem.earlier:
        return _best_of_earlier(problem, first, max(min(2, episodes), episodes // SHARE))
    order = least_important(problem, episodes // SHARE)
    if not order:
        return first
    highest, worse = problem.evaluate(first).merit, 0
    for count in sorted({round(len(order) * part / LEVELS) for part in range(1, LEVELS + 1)}):
        kept = without(problem.limits, order[:count])
        if kept is not None:
            found = problem.evaluate(kept).merit
            worse = worse + 1 if found < highest - CLEARLY else 0
            highest = max(highest, found)
        if worse == PATIENCE:
            break
    best = problem.best()
    return first if best is None else best.kept


def earlier_policies(problem: Problem, limits: Limits, most: int) -> list[Kept]:
    """Policies of earlier searches, the most promising first, scaled onto budgets.

    Args:
        problem: That knows them.
        limits: The budgets.
        most: How many, at most.
    """
    found = problem.earlier.worth_trying(limits, most)
    if not found:
        return []
    ratios = np.stack([problem.graph.ratios(kept) for kept in found])
    return list(dict.fromkeys(project_all(limits, ratios, depth=True)))


def _best_of_earlier(problem: Problem, first: Kept, most: int) -> Kept:
    """The best of uniform ratios and of what earlier searches found, so many of them evaluated."""
    others = earlier_policies(problem, problem.limits, min(TRIED, max(1, most - 1)))
    for kept in [*others[:1], first, *others[1:]][:most]:
        problem.evaluate(kept)
    best = problem.best()
    return first if best is None else best.kept


def episodes_left(problem: Problem, episodes: int, first: Kept) -> int:
    """Of a search's episodes, those that the way to its start has left.

    Args:
        problem: Whose evaluations these are.
        episodes: That the search may take in all.
        first: Kept counts of the first of them, which are answered from memory where the way has
            been there.
    """
    known = any(one.kept == first for one in problem.outcomes)
    return max(1, episodes - len(problem.outcomes) + known)


def least_important(problem: Problem, most: int) -> list[int]:
    """Branches, by their place, the least important first; of many those that cost most.

    How much one matters is the merit of the unpruned network without it, which is evaluated.

    Args:
        problem: Whose branches.
        most: Evaluations that it may take.
    """
    graph, limits = problem.graph, problem.limits
    if all(limits.smallest) or not limits.items:
        return []
    alone = {at: graph.settled(_gone(graph, [at])) for at in range(len(graph.branches))}
    tried = sorted(alone, key=lambda at: limits.use(alone[at].tolist()))[:most]
    found = problem.evaluate_all([alone[at].tolist() for at in tried])
    left = {at: one.merit for at, one in zip(tried, found, strict=True)}
    return sorted(tried, key=lambda at: -left[at])


def _gone(graph: PruningGraph, branches: Sequence[int]) -> list[int]:
    """The unpruned network's counts, without these branches."""
    groups = {group for at in branches for group in graph.branches[at].groups}
    return [0 if group in groups else units for group, units in enumerate(graph.full)]


def without(limits: Limits, branches: Sequence[int]) -> Kept | None:
    """Kept counts without these branches, by their place, and with uniform ratios in the rest.

    None where that cannot meet the budgets.
    """
    asked = limits.graph.settled(_gone(limits.graph, branches)) == 0
    kept = project(limits, np.where(asked, 1.0, LITTLE), depth=True)
    return kept if (asked == (np.array(kept) == 0)).all() else None
