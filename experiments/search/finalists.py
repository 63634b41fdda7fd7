"""Which candidates of a search are worth a second look: good ones that differ, and uniform ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amc.graph import Kept, PruningGraph
from amc.history import Outcome
from amc.problem import Problem
from amc.rules import Uniform
from experiments.search.holding import holding

APART = 0.05
"""Mean difference of two finalists' ratios over the groups, at least: those that are nearer become
the same network by fine-tuning."""


@dataclass(frozen=True)
class Contender:
    """A candidate that is looked at again.

    Args:
        name: What it is called.
        outcome: It.
    """

    name: str
    outcome: Outcome


def finalists(
    problem: Problem, outcomes: Sequence[Outcome], first: Kept, count: int, seed: int
) -> list[Contender]:
    """What a search chose, other good candidates that are `apart`, and uniform ratios last.

    Args:
        problem: That the search solved, with a history of its own; uniform ratios are evaluated on
            it where the search did not.
        outcomes: Of the search, within the budgets.
        first: What it chose, which is one of them.
        count: Of finalists, at most; uniform ratios are one of them wherever they meet the budget.
        seed: Of the search.
    """
    known = {one.kept: one for one in reversed(outcomes)}
    even = _uniform(problem, 1 + max(one.number for one in outcomes), seed)
    last = [known.get(one.kept, one) for one in (even,) if one and one.kept != first]
    taken = [known[first]]
    for one in sorted(known.values(), key=lambda one: (-one.merit, one.number)):
        if len(taken) + len(last) >= count:
            break
        differs = all(apart(problem.graph, one.kept, other.kept) for other in (*taken, *last))
        if differs and _holds(problem, one.kept):
            taken.append(one)
    return [
        Contender("the search's best", taken[0]),
        *(Contender(f"its number {one.number + 1}", one) for one in taken[1:]),
        *(Contender("uniform ratios", one) for one in last),
    ]


def apart(graph: PruningGraph, one: Kept, other: Kept) -> bool:
    """Whether two candidates differ enough that fine-tuning leaves them different."""
    ratios = np.asarray(graph.ratios(one)) - np.asarray(graph.ratios(other))
    return float(np.abs(ratios).mean()) >= APART


def _holds(problem: Problem, kept: Kept) -> bool:
    """Whether a candidate meets the budgets by the clock as well, where there is one."""
    return not problem.measure or problem.limits_at(kept).fits(kept)


def _uniform(problem: Problem, number: int, seed: int) -> Outcome | None:
    """That of uniform ratios, held by the clock; None where they reach no budget or there is none.

    Args:
        problem: See `finalists`.
        number: That it gets.
        seed: See `finalists`.
    """
    if not problem.limits.items:
        return None
    try:
        best = holding(lambda asked: Uniform().search(asked, seed), problem, again=True)[0].best
    except ValueError:  # One ratio for all does not get there.
        return None
    return replace(best, number=number) if _holds(problem, best.kept) else None
