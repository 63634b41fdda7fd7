"""The bounds of an action, against brute force over all that is left to decide."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import torch
from random_networks import IMAGE, network

from amc import COSTS, Budget, Rounding, trace
from amc.costs import Limits
from amc.pruning import decisions
from envs.feasible import executed_count, executed_walks

NETWORKS = {
    "plain": lambda: network(5, [("plain", 4)], flattened=3),
    "residual": lambda: network(5, [("residual", 4), ("plain", 6)]),
    "separable": lambda: network(4, [("separable", 5), ("residual", 3)]),
}
ROUNDINGS = [Rounding(), Rounding(round_to=2, max_ratio=0.7)]


def limits_of(name: str, rounding: Rounding, *budgets: str) -> Limits:
    graph = trace(NETWORKS[name](), torch.zeros(IMAGE))
    return Limits.of(graph, [Budget.parse(text) for text in budgets], COSTS, rounding)


def within_reach(limits: Limits, decided: Sequence[int]) -> list[int]:
    """Legal counts of the next group for which some choice of all later ones fits, ascending."""
    here = len(decided)
    return [
        count
        for count in limits.counts[here]
        if any(
            limits.fits((*decided, count, *later)) for later in product(*limits.counts[here + 1 :])
        )
    ]


def walks(limits: Limits) -> list[tuple[int, ...]]:
    """Every sequence of decisions that can be met before the last group."""
    found: list[tuple[int, ...]] = [()]
    for decided in found:
        if len(decided) < len(limits.counts) - 1:
            found += [(*decided, count) for count in within_reach(limits, decided)]
    return found


def every_case(test: Callable[..., None]) -> Callable[..., None]:
    for names, values in (
        ("budgets", [("macs=0.4",), ("params=60%",), ("macs=0.7", "params=0.5"), ()]),
        ("rounding", ROUNDINGS),
        ("name", NETWORKS),
    ):
        test = pytest.mark.parametrize(names, values)(test)
    return test


@every_case
def test_a_group_that_should_stay_whole_keeps_as_much_as_can_still_be_completed(
    name: str, rounding: Rounding, budgets: tuple[str, ...]
) -> None:
    limits = limits_of(name, rounding, *budgets)
    visited = walks(limits)
    assert len(visited) >= len(limits.counts)
    for decided in visited:
        assert executed_count(limits, decided, 0.0) == max(within_reach(limits, decided))


@every_case
def test_an_action_becomes_the_nearest_count_within_reach(
    name: str, rounding: Rounding, budgets: tuple[str, ...]
) -> None:
    limits = limits_of(name, rounding, *budgets)
    for decided in walks(limits):
        units = limits.graph.full[len(decided)]
        for ratio in (0.0, 0.13, 0.37, 0.61, 0.89, 1.0):
            nearest = min(
                within_reach(limits, decided), key=lambda count: abs(count - units * (1 - ratio))
            )
            assert executed_count(limits, decided, ratio) == nearest


@every_case
def test_many_walks_end_where_each_of_them_would_alone(
    name: str, rounding: Rounding, budgets: tuple[str, ...]
) -> None:
    limits = limits_of(name, rounding, *budgets)
    ratios = np.random.default_rng(0).random((40, len(limits.counts))) ** 2
    for asked, end in zip(ratios, executed_walks(limits, ratios), strict=True):
        assert limits.fits(end)
        for here, ratio in enumerate(asked):
            assert executed_count(limits, end[:here], ratio) == end[here]


def test_of_millions_of_single_weights_the_budget_is_met_to_the_last() -> None:
    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(1000, 3000), torch.nn.ReLU(), linear(3000, 2))
    graph = decisions(model, torch.zeros(1, 1000), "element")
    limits = Limits.of(graph, [Budget.parse("params=0.37")], COSTS, Rounding(max_ratio=0.99))
    (end,) = executed_walks(limits, np.zeros((1, 2)))
    assert limits.fits(end)
    assert not limits.fits((end[0] + 1, end[1]))


def test_a_tight_budget_binds_and_a_loose_one_does_not() -> None:
    tight = limits_of("plain", Rounding(), "macs=0.15")
    loose = limits_of("plain", Rounding(), "macs=1.0")
    assert executed_count(tight, (), 0.0) < executed_count(loose, (), 0.0) == 5
    assert executed_count(loose, (), 1.0) == tight.smallest[0] == 1


def test_the_last_group_takes_all_that_the_others_left() -> None:
    limits = limits_of("plain", Rounding(), "macs=0.5")
    kept = list(limits.smallest[:-1])
    kept.append(executed_count(limits, kept, 0.0))
    assert limits.fits(kept)
    assert kept[-1] == limits.graph.full[-1]
