"""Budgets that hold by the clock, where this device can measure them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from amc.costs import Limits
from amc.history import Outcome
from amc.problem import Problem, SearchResult
from amc.rules import project_all

BROUGHT = 5
"""Of the best candidates, that are brought within a tightened bound each time."""

AGAIN = 10
"""Candidates that are measured once more for each tightening, at most."""

TIGHTENINGS = 5
"""Of a search's bound at most, when its networks are measured to be slower than predicted."""


def holding(
    search: Callable[[Problem], SearchResult], problem: Problem, *, again: bool
) -> tuple[SearchResult, float]:
    """Search, and see that the budgets hold where a device can measure them.

    Where the winner is measured to exceed one, the bound that the search keeps to is tightened by
    as much. The best candidates are brought within it, and the best of all within it wins, be it
    one that lost its race to the former winner; where a search had a single one, as rules do, it is
    made again. A bound that no network could keep is not tried, and after `TIGHTENINGS` the last
    winner stays.

    Args:
        search: What is done with a problem.
        problem: The budgets, and what can be measured.
        again: Whether another candidate may win; a strategy whose result has weights of its own
            measures on its way.

    Returns:
        The result, and the tightest bound as a part of the budgets: 1 where predictions held.
    """
    result, latest = search(problem), problem
    if not problem.measure:
        return result, 1.0
    limits = problem.limits_at(result.best.kept)
    if not again:
        return result, _part(limits, problem.limits)
    bound = 1.0
    # Whether it holds in the end is no part of the result: the network is timed once more when all
    # is done, fine-tuning included, and by that the terminal and the report say that a budget is
    # broken (`experiments.report.excesses`). A flag from here would be an older opinion.
    for _ in range(TIGHTENINGS):
        if limits.fits(result.best.kept) or not limits.fits(limits.smallest):
            break
        bound, within = _part(limits, problem.limits), latest.within(limits)
        start = time.perf_counter()
        _bring(latest, within)
        best = _best(within)
        result = replace(result, seconds=result.seconds + time.perf_counter() - start)
        if best:
            result = replace(result, best=best, outcomes=within.outcomes)
        else:
            result = _added(result, search(within))
        latest = within
        limits = problem.limits_at(result.best.kept)
    return result, bound


def _bring(latest: Problem, within: Problem) -> None:
    """Evaluate the best candidates, scaled onto tightened limits.

    A search spends its whole budget wherever it can, so that a little less leaves it with those
    that were never meant to win.
    """
    leaders = sorted(latest.finalists(), key=lambda one: -one.merit)
    if len(leaders) < 2:
        return
    ratios = [latest.graph.ratios(one.kept) for one in leaders[:BROUGHT]]
    for kept in project_all(within.limits, np.stack(ratios), depth=True):
        within.evaluate(kept)


def _best(within: Problem) -> Outcome | None:
    """The best candidate within tightened limits.

    One that was stopped early may have lost to what breaks these: the most promising are measured
    on all samples, as long as they promise more than the best that was.
    """
    best = within.best()
    stopped = [one for one in within.within_budgets() if one.seen is not None]
    for lost in sorted(stopped, key=lambda one: -one.merit)[:AGAIN]:
        if best is not None and lost.merit <= best.merit:
            break
        found = within.whole(lost.kept)
        best = found if best is None or found.merit > best.merit else best
    return best


def _part(limits: Limits, given: Limits) -> float:
    """How much is left of the budget that was tightened most."""
    pairs = zip(limits.items, given.items, strict=True)
    return min(tight.most / item.most for tight, item in pairs)


def _added(before: SearchResult, result: SearchResult) -> SearchResult:
    return replace(result, seconds=before.seconds + result.seconds)
