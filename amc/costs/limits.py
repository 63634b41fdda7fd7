"""Budgets made concrete for one network: which kept counts are allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amc.costs.base import Cost, Costs, costs_of
from amc.granularity import Counts, Rounding, above, below, below_in_steps, nearest, or_none
from amc.graph import PruningGraph
from amc.parsing import look_up, readable
from amc.policy import Budget

_ANY_RATIO = math.nextafter(1, 0)
_LOOSER: dict[str, dict[str, Any]] = {
    " or --max-ratio": {"max_ratio": _ANY_RATIO},
    ", or give --round-to 1": {"round_to": 1, "steps": ()},
    " or --max-ratio, and give --round-to 1": {"max_ratio": _ANY_RATIO, "round_to": 1, "steps": ()},
}
"""What else than a higher budget may help, in words, with the rounding that it leads to."""


class BudgetError(ValueError):
    """A budget that no policy can meet."""


@dataclass(frozen=True)
class Limit:
    """One cost and what it may be at most.

    Args:
        name: Short name of the cost.
        cost: The function.
        full: Cost of the unpruned network.
        most: The budget, in the cost's unit.
    """

    name: str
    cost: Cost
    full: float
    most: float


@dataclass(frozen=True)
class Limits:
    """All budgets of one search as a yes-or-no question about kept counts.

    Args:
        graph: What is pruned.
        rounding: Which counts are legal.
        items: One limit a budget; none allows everything.
    """

    graph: PruningGraph
    rounding: Rounding
    items: tuple[Limit, ...]

    @classmethod
    def of(
        cls,
        graph: PruningGraph,
        budgets: Sequence[Budget],
        costs: Costs,
        rounding: Rounding,
    ) -> Limits:
        """Resolve `budgets` for one network.

        Raises:
            LookupError: if a budget names an unknown cost.
            BudgetError: if even the smallest legal network exceeds a budget; the message names the
                smallest that can be reached.
        """
        items = tuple(_limit(graph, budget, costs) for budget in budgets)
        limits = cls(graph, rounding, items)
        for budget, item in zip(budgets, items, strict=True):
            if item.cost(limits.smallest) > item.most:
                raise BudgetError(_unreachable(budget, item, limits, costs))
        return limits

    @cached_property
    def counts(self) -> tuple[Sequence[int], ...]:
        """Legal kept counts of each group, ascending."""
        legal = self.graph.legal(self.rounding)
        if not self.rounding.depth:
            return legal
        return tuple(
            own if least else or_none(own)
            for own, least in zip(legal, self.graph.least, strict=True)
        )

    @cached_property
    def _steps(self) -> NDArray[np.int64] | None:
        """(3, groups) of `amc.granularity.below_in_steps`; None where a group has no such steps."""
        regular = [own for own in self.counts if isinstance(own, Counts)]
        if len(regular) < len(self.counts):
            return None
        return np.array([(own.first, own.step, own.full) for own in regular]).T

    @cached_property
    def most(self) -> NDArray[np.float64]:
        """(groups,) the largest ratio that a group may have, but for those that are gone."""
        graph, rounding = self.graph, self.rounding
        largest = np.full(len(graph.groups), rounding.max_ratio)
        if graph.finer:
            finer = rounding.finer or graph.granularity.finer.rounding()
            largest[-len(graph.finer) :] = finer.max_ratio
        return largest

    def dropped(self, ratios: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where 0 is the legal count of a group that is closest to its ratio.

        Args:
            ratios: (..., groups) pruning ratios in [0, 1].
        """
        left = np.asarray(self.graph.full) * (1 - ratios)
        may_go = np.array(self.smallest) == 0
        found: NDArray[np.bool_] = may_go & (left < np.array(self.fewest) / 2)
        return found

    @cached_property
    def smallest(self) -> tuple[int, ...]:
        """Fewest units that each group may keep."""
        return tuple(counts[0] for counts in self.counts)

    @cached_property
    def fewest(self) -> tuple[int, ...]:
        """The same of groups that are not gone."""
        return tuple(next(count for count in counts if count) for counts in self.counts)

    def nearest(self, group: int, ratio: float) -> int:
        """The legal count of a group, by its number, that is closest to a pruning ratio."""
        return nearest(self.counts[group], ratio)

    def below(self, ratios: NDArray[np.float64]) -> NDArray[np.int64]:
        """For each group the largest legal count that keeps at most 1 - ratio of its units.

        Never 0: what goes wholly is asked for (`dropped`).

        Args:
            ratios: (..., groups) pruning ratios in [0, 1].
        """
        if self._steps is not None:
            return below_in_steps(self._steps, ratios)
        return np.stack([below(own, ratios[..., at]) for at, own in enumerate(self.counts)], -1)

    def above(self, kept: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each group the next larger legal count; a whole group's is its own.

        Args:
            kept: (..., groups) legal counts.
        """
        return np.stack([above(own, kept[..., at]) for at, own in enumerate(self.counts)], -1)

    def use(self, kept: Sequence[int]) -> float:
        """Of the scarcest budget, the one that is furthest from being met; 1 meets it exactly.

        NetAdapt's resource (Yang et al., 2018), which has one, where there may be several.
        """
        return max(item.cost(kept) / item.most for item in self.items)

    def fits(self, kept: Sequence[int]) -> bool:
        """True where every budget holds at these kept counts."""
        return all(item.cost(kept) <= item.most for item in self.items)

    def which_fit(self, kept: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(policies,) where every budget holds.

        Args:
            kept: (policies, groups) kept counts.
        """
        fitting = np.ones(len(kept), bool)
        for item in self.items:
            fitting &= costs_of(item.cost, kept) <= item.most
        return fitting


def _limit(graph: PruningGraph, budget: Budget, costs: Costs) -> Limit:
    cost = look_up(costs, budget.cost, "cost")(graph)
    full = cost(graph.full)
    return Limit(budget.cost, cost, full, budget.absolute(full))


def _unreachable(budget: Budget, item: Limit, limits: Limits, costs: Costs) -> str:
    granularity = limits.graph.granularity
    if not granularity.cuts and _least_ever(item.cost, limits) == item.full:
        return (
            f"budget {budget} cannot be reached: pruning at granularity {granularity} does not "
            f"change {item.name}, because zeros are held and computed like other weights; "
            f"{_costs_of_zeros(limits, costs)}prune channels"
        )
    least = item.cost(limits.smallest)
    return (
        f"budget {budget} cannot be reached: the smallest network that {_in_words(limits)} allows "
        f"has {item.name}={_round_up(least, item.full):.4f} ({readable(least, item.cost.unit)}); "
        f"raise the budget{_other_ways(item, limits)}"
    )


def _costs_of_zeros(limits: Limits, costs: Costs) -> str:
    """The costs that can have a budget there, as advice; empty if none can."""
    made = {name: make(limits.graph) for name, make in costs.items()}
    full = limits.graph.full
    names = [name for name, cost in made.items() if _least_ever(cost, limits) < cost(full)]
    listed = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"give a budget of {listed}, or " if names else ""


def _in_words(limits: Limits) -> str:
    """What the rounding allows, in words."""
    rounding = limits.rounding
    if rounding.only:
        return f"granularity {limits.graph.granularity}"
    multiples = f" in multiples of {rounding.round_to}" if rounding.round_to > 1 else ""
    if any(step > 1 for step in rounding.steps):
        multiples = " in whole blocks of channels"
    edges = " at the edges of steps" if rounding.widths else ""
    gone = limits.counts and not all(limits.smallest)
    depth = ", with every branch gone that may go," if gone else ""
    return f"a pruning ratio of at most {rounding.max_ratio:g} per layer{multiples}{edges}{depth}"


def _other_ways(item: Limit, limits: Limits) -> str:
    """What would bring the budget within reach; where nothing would, what stands in the way."""
    whole = len(limits.graph.fixed)
    stay = f"; {whole} layer{'s stay' if whole > 1 else ' stays'} whole" if whole else ""
    if limits.rounding.only:
        return stay
    ever = _least_ever(item.cost, limits)
    if limits.rounding.widths and (ever <= item.most or ever == item.cost(limits.smallest)):
        # A latency table knows nothing narrower, and a layer of one unit is no cheaper by it.
        coarse = limits.rounding.round_to > 1 or any(step > 1 for step in limits.rounding.steps)
        lower = ", or give --round-to 1 in both" if coarse else ""
        return f" or --max-ratio, here and, where the table ends, in `amc profile`{lower}"
    for words, changes in _LOOSER.items():
        looser = replace(limits, rounding=replace(limits.rounding, **changes))
        if item.cost(looser.smallest) <= item.most:
            return words
    none = " and no branch that may go" if not all(limits.smallest) else ""
    least = f"even one unit a layer{none} has {item.name}={_round_up(ever, item.full):.4f}"
    return f": {least}{stay}"


def _least_ever(cost: Cost, limits: Limits) -> float:
    """The cost with one unit left in every group, or none where the network goes on without."""
    least = limits.graph.least if limits.rounding.depth else (1,) * len(limits.graph.groups)
    return cost(least)


def _round_up(least: float, full: float) -> float:
    """The smallest fraction of four digits that, asked for as a budget, allows `least`."""
    parts = math.ceil(least / full * 1e4)
    return (parts if parts / 1e4 * full >= least else parts + 1) / 1e4
