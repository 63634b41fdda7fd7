"""Budgets that hold by the clock, where this device can measure them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from amc.costs import Limits
from amc.history import Outcome
from amc.problem import Problem, SearchResult
from amc.rules import project_all

BROUGHT = 5
"""Of the best candidates, that are brought within a moved bound each time."""

AGAIN = 10
"""Candidates that are measured once more for each tightening, at most."""

TIGHTENINGS = 5
"""Of a search's bound at most, when its networks are measured to be slower than predicted."""

LOOSENINGS = 3
"""Of it at most, when they are faster."""

SPENT = 0.97
"""Of a budget: a network that takes as much of it is not exchanged for one that takes more."""


@dataclass(frozen=True)
class _Held:
    """Where it stands.

    Args:
        result: With the winner.
        problem: In which all that was evaluated so far is known.
        bound: What predictions are held to, as a part of the budgets.
    """

    result: SearchResult
    problem: Problem
    bound: float = 1.0


def holding(
    search: Callable[[Problem], SearchResult], problem: Problem, *, again: bool
) -> tuple[SearchResult, float]:
    """Search, and see that the budgets hold where a device can measure them, and are spent.

    Where the winner is measured to exceed one, the bound that the search keeps to is tightened by
    as much; where it is measured to leave some, it is loosened. The best candidates are brought
    onto it, and the best of all within it wins, be it one that lost its race to the former winner;
    where a search had a single one, as rules do, it is made again. A bound that no network could
    keep is not tried, and after `TIGHTENINGS` the last winner stays. What a loosened bound gives
    wins only where it is better and measured within the budgets.

    Args:
        search: What is done with a problem.
        problem: The budgets, and what can be measured.
        again: Whether another candidate may win; a strategy whose result has weights of its own
            measures on its way.

    Returns:
        The result, and the bound as a part of the budgets: 1 where predictions held.
    """
    held = _Held(search(problem), problem)
    if not problem.measure:
        return held.result, 1.0
    if not again:
        return held.result, _part(problem.limits_at(held.result.best.kept), problem.limits)
    held = _spent(search, _tightened(search, held, problem), problem)
    return held.result, held.bound


def _tightened(search: Callable[[Problem], SearchResult], held: _Held, problem: Problem) -> _Held:
    """Until the winner is measured within the budgets."""
    # Whether it holds in the end is no part of the result: the network is timed once more when all
    # is done, fine-tuning included, and by that the terminal and the report say that a budget is
    # broken (`experiments.report.excesses`). A flag from here would be an older opinion.
    for _ in range(TIGHTENINGS):
        limits = problem.limits_at(held.result.best.kept)
        if limits.fits(held.result.best.kept) or not limits.fits(limits.smallest):
            break
        within, result = held.problem.within(limits), held.result
        start = time.perf_counter()
        _bring(held.problem, within)
        best = _best(within)
        result = replace(result, seconds=result.seconds + time.perf_counter() - start)
        if best:
            result = replace(result, best=best, outcomes=within.outcomes)
        else:
            result = _added(result, search(within))
        held = _Held(result, within, _part(limits, problem.limits))
    return held


def _spent(search: Callable[[Problem], SearchResult], held: _Held, problem: Problem) -> _Held:
    """What the winner is measured to leave of the budgets, given to the best candidates."""
    limits = problem.limits_at(held.result.best.kept)
    for _ in range(LOOSENINGS):
        if not limits.fits(held.result.best.kept) or limits.use(held.result.best.kept) > SPENT:
            break
        within, before = held.problem.within(limits), held.result
        start = time.perf_counter()
        if _bring(held.problem, within):
            found = replace(before, best=_best(within) or before.best, outcomes=within.outcomes)
        else:
            found = _behind(before, search(within))
        result = replace(before, seconds=before.seconds + time.perf_counter() - start)
        held = replace(held, result=replace(result, outcomes=found.outcomes))
        if found.best.merit <= before.best.merit or found.best.kept == before.best.kept:
            break
        limits = problem.limits_at(found.best.kept)
        if limits.fits(found.best.kept):
            result = replace(found, seconds=result.seconds)
            held = _Held(result, within, _part(within.limits, problem.limits))
    return held


def _bring(latest: Problem, within: Problem) -> bool:
    """Evaluate the best candidates, scaled onto moved limits; whether there are several.

    A search spends its whole budget wherever it can, so that a little less leaves it with those
    that were never meant to win, and a little more with those that could keep more.
    """
    leaders = sorted(latest.finalists(), key=lambda one: -one.merit)
    if len(leaders) < 2:
        return False
    ratios = [latest.graph.ratios(one.kept) for one in leaders[:BROUGHT]]
    for kept in project_all(within.limits, np.stack(ratios), depth=True):
        within.evaluate(kept)
    return True


def _best(within: Problem) -> Outcome | None:
    """The best candidate within moved limits.

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
    """The limit that was moved most, as a part of the budget."""
    pairs = zip(limits.items, given.items, strict=True)
    parts = [moved.most / item.most for moved, item in pairs]
    return max(parts, key=lambda part: abs(part - 1))


def _behind(before: SearchResult, found: SearchResult) -> SearchResult:
    """What was found, with the outcomes of a search before it; no two have one number."""
    more = len(before.outcomes)
    later = (replace(one, number=one.number + more) for one in found.outcomes)
    best = replace(found.best, number=found.best.number + more)
    return replace(found, best=best, outcomes=(*before.outcomes, *later))


def _added(before: SearchResult, result: SearchResult) -> SearchResult:
    return replace(result, seconds=before.seconds + result.seconds)
