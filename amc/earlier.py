"""What earlier searches leave to a new one: policies worth a try, and evaluations to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amc.costs import Limits
from amc.graph import Kept, PruningGraph
from amc.history import Outcome

Numbers = NDArray[np.float64]

NEAREST = 200
"""Evaluations that a search learns from at most: those whose costs are nearest to its budgets."""

TRIED = 5
"""Policies of earlier searches that a new one evaluates first, at most."""


@dataclass(frozen=True)
class Earlier:
    """Of earlier searches.

    Args:
        outcomes: Evaluations of the same network, measured as this search measures, under whatever
            budgets.
        policies: Kept counts that are worth a try though nothing of the kind was evaluated, such as
            those that another network's policies suggest; the best first.
    """

    outcomes: tuple[Outcome, ...] = ()
    policies: tuple[Kept, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.policies)

    def check(self, graph: PruningGraph) -> None:
        """See that it is of this network.

        Raises:
            ValueError: if kept counts have another number of groups, or more units than there are.
        """
        full = graph.full
        for kept in (*(one.kept for one in self.outcomes), *self.policies):
            if len(kept) != len(full) or any(
                not 0 <= own <= units for own, units in zip(kept, full, strict=True)
            ):
                raise ValueError(
                    f"earlier: kept counts {_short(kept)} are of another network, this one has "
                    f"{_short(full)}; give outcomes of a search of the same network"
                )

    def nearest(self, limits: Limits, most: int = NEAREST) -> list[Outcome]:
        """The evaluations whose costs are nearest to the budgets.

        Args:
            limits: The budgets.
            most: How many, at most.
        """
        return sorted(self.outcomes, key=lambda one: _away(limits, one.kept))[:most]

    def worth_trying(self, limits: Limits, most: int = TRIED) -> list[Kept]:
        """Policies, for any budgets, to be scaled onto these.

        Of evaluations those that are better than one expects of what they cost.

        Args:
            limits: The budgets.
            most: How many, at most.
        """
        near = self.nearest(limits)
        ranked = [near[at].kept for at in np.argsort(-_better(limits, near), kind="stable")]
        return list(dict.fromkeys([*self.policies, *ranked]))[:most]


def _better(limits: Limits, outcomes: Sequence[Outcome]) -> Numbers:
    """(outcomes,) how much more each is worth than a straight line through all of them tells.

    Of what is missing the logarithm, against the logarithm of the costs.
    """
    worth = np.array([one.worth for one in outcomes])
    costs = np.array([np.log(limits.use(one.kept)) for one in outcomes])
    if len(outcomes) < 3 or np.ptp(costs) < 1e-6:
        return worth
    line = np.polynomial.Polynomial.fit(costs, worth, 1)
    better: Numbers = worth - line(costs)
    return better


def _away(limits: Limits, kept: Kept) -> float:
    """How far costs are from the budgets, up or down."""
    return abs(float(np.log(max(limits.use(kept), 1e-12))))


def _short(counts: Iterable[int]) -> str:
    words = [*map(str, counts)]
    return ",".join(words[:6]) + (", ..." if len(words) > 6 else "")
