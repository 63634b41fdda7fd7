"""What each option is thought to lose, from candidates in which nothing else is pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amc.problem import Problem
from amc.strategies.knapsack.choices import Choices

Numbers = NDArray[np.float64]

LEAST = 1e-4
"""Merit that a group loses with all of its units at least, so that no pruning is free."""

POWER = 2
"""Losses are taken to grow with this power of the ratio where nothing was measured (Frantar and
Alistarh, "SPDY: Accurate Pruning with Speedup Guarantees", ICML 2022, section 3)."""


@dataclass(frozen=True)
class Losses:
    """A loss for each option of each choice.

    Args:
        values: Of each choice, (options,) numbers, 0 for what stays whole.
    """

    values: tuple[Numbers, ...]

    def weighted(self, weights: Numbers) -> list[Numbers]:
        """The same, each choice's times its weight."""
        return [weight * own for weight, own in zip(weights, self.values, strict=True)]


def scan(problem: Problem, choices: Choices, evaluations: int) -> Losses:
    """Evaluate options one at a time, as many as may be: branches, then groups at ever more counts.

    Args:
        problem: Whose candidates are evaluated, the unpruned network first.
        choices: What there is to choose.
        evaluations: That it may take at most; choices that none is left for get the middle of what
            the others lose.
    """
    whole = problem.evaluate(problem.graph.full).merit
    found: list[dict[int, float]] = [{} for _ in choices.options]
    for at, option in _in_turns(choices)[: max(0, evaluations - 1)]:
        merit = problem.evaluate(tuple(choices.kept([(at, option)]).tolist())).merit
        found[at][option] = max(0.0, whole - merit)
    usual = _usual(choices, found)
    return Losses(
        tuple(
            _curve(own, seen or {own[0]: usual})
            for own, seen in zip(choices.options, found, strict=True)
        )
    )


def _in_turns(choices: Choices) -> list[tuple[int, int]]:
    """Choices with options, in the order in which they are tried: all once, then all once more."""
    orders = [_spread(own[:-1]) for own in choices.options]
    groups = range(choices.groups)
    branches = [(at, 0) for at in range(choices.groups, len(orders))]
    longest = max((len(orders[at]) for at in groups), default=0)
    turns = [
        (at, orders[at][turn]) for turn in range(longest) for at in groups if turn < len(orders[at])
    ]
    return branches + turns


def _spread(options: Sequence[int]) -> list[int]:
    """The one in the middle, then those in the middles of what is left on both sides."""
    if not options:
        return []
    middle = len(options) // 2
    left, right = _spread(options[:middle]), _spread(options[middle + 1 :])
    mixed = [one for pair in zip(left, right, strict=False) for one in pair]
    rest = left[len(right) :] + right[len(left) :]
    return [options[middle], *mixed, *rest]


def _usual(choices: Choices, found: Sequence[dict[int, float]]) -> float:
    """What a choice loses at its smallest option where it was not tried."""
    ends = [_curve(own, seen)[0] for own, seen in zip(choices.options, found, strict=True) if seen]
    return float(np.median(ends)) if ends else 1.0


def _curve(options: Sequence[int], seen: dict[int, float]) -> Numbers:
    """Losses of options from those of some, which never grow with what is kept."""
    full = options[-1]
    if len(options) == 1:
        return np.zeros(1)
    ratios = 1 - np.array(options, np.float64) / full
    known = sorted((1 - option / full, loss) for option, loss in seen.items())
    points = np.array([0.0, *(ratio for ratio, _ in known)])
    lost = np.maximum.accumulate([0.0, *(loss for _, loss in known)])
    # In the power's own measure, so that it is followed between points and beyond the last.
    at, asked = points**POWER, ratios**POWER
    inside = np.interp(asked, at, lost)
    beyond = lost[-1] * asked / at[-1]
    curve: Numbers = np.where(asked > at[-1], beyond, inside) + LEAST * asked
    return curve
