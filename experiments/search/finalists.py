"""Which candidates are worth a second look: good ones that differ, and those of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amc.costs import BudgetError
from amc.graph import Kept, PruningGraph
from amc.history import Outcome
from amc.problem import Problem, Strategy
from amc.rules import GlobalRanking, Uniform
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
    """What a search chose, other good candidates that are `apart`, and what rules give last.

    Args:
        problem: That the search solved, with a history of its own; what rules give is evaluated on
            it where the search did not.
        outcomes: Of the search, within the budgets.
        first: What it chose, which is one of them.
        count: Of finalists, at most; uniform ratios are one of them wherever they meet the budget,
            and where weights are masked one ranking of them.
        seed: Of the search.
    """
    known = {one.kept: one for one in reversed(outcomes)}
    last, number = dict[Kept, Contender](), 1 + max(one.number for one in outcomes)
    for name, rule in _rules(problem.graph):
        found = _by_rule(problem, rule, number, seed)
        if found and found.kept != first:
            last.setdefault(found.kept, Contender(name, known.get(found.kept, found)))
            number += 1
    rules = [*last.values()][-max(1, count - 1) :]
    taken = [known[first]]
    for one in sorted(known.values(), key=lambda one: (-one.merit, one.number)):
        if len(taken) + len(rules) >= count:
            break
        others = (*taken, *(rule.outcome for rule in rules))
        differs = all(apart(problem.graph, one.kept, other.kept) for other in others)
        if differs and _holds(problem, one.kept):
            taken.append(one)
    return [
        Contender("the search's best", taken[0]),
        *(Contender(f"its number {one.number + 1}", one) for one in taken[1:]),
        *rules,
    ]


def apart(graph: PruningGraph, one: Kept, other: Kept) -> bool:
    """Whether two candidates differ enough that fine-tuning leaves them different."""
    ratios = np.asarray(graph.ratios(one)) - np.asarray(graph.ratios(other))
    return float(np.abs(ratios).mean()) >= APART


def _holds(problem: Problem, kept: Kept) -> bool:
    """Whether a candidate meets the budgets by the clock as well, where there is one."""
    return not problem.measure or problem.limits_at(kept).fits(kept)


FIFTH = 0.2
"""Of all channels: with so few gone a network learns to do without most of its weights as well as
the whole one."""


def _rules(graph: PruningGraph) -> list[tuple[str, Strategy]]:
    """What is looked at whatever the search found; where most weights go its scores tell nothing
    before the tuning.
    """
    masked = GlobalRanking(scaled=False)
    rules = list[tuple[str, Strategy]]()
    if graph.finer:
        rules.append(("one ranking, a fifth of the channels gone", replace(masked, channels=FIFTH)))
    if graph.granularity.masks:
        rules.append(("one ranking of all weights", masked))
    return [*rules, ("uniform ratios", Uniform())]


def _by_rule(problem: Problem, rule: Strategy, number: int, seed: int) -> Outcome | None:
    """That of a rule, held by the clock; None where it reaches no budget or there is none.

    Args:
        problem: See `finalists`.
        rule: A strategy of one evaluation.
        number: That it gets.
        seed: See `finalists`.
    """
    if not problem.limits.items:
        return None
    try:
        best = holding(lambda asked: rule.search(asked, seed), problem, again=True)[0].best
    except BudgetError:
        return None
    return replace(best, number=number) if _holds(problem, best.kept) else None
