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
from envs.bounds import execute_action, execute_rollouts

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
    """Legal counts of the next group for which some choice of all later ones fits, ascending.

    Whole branches are among these choices only where without them nothing fits.
    """
    here, full = len(decided), np.array(limits.graph.full)
    left = limits.graph.settled(np.array([*decided, *full[here:]]))
    staying = [
        tuple(count for count in counts if count) if left[at] else (0,)
        for at, counts in enumerate(limits.counts)
    ]
    found = _fitting(limits, decided, staying)
    stays = any(count in staying[here] for count in found)
    return found if stays else _fitting(limits, decided, limits.counts)


def _fitting(limits: Limits, decided: Sequence[int], choices: Sequence[Sequence[int]]) -> list[int]:
    here = len(decided)
    return [
        count
        for count in limits.counts[here]
        if any(limits.fits((*decided, count, *later)) for later in product(*choices[here + 1 :]))
    ]


def rollouts(limits: Limits) -> list[tuple[int, ...]]:
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
    visited = rollouts(limits)
    assert len(visited) >= len(limits.counts)
    for decided in visited:
        assert execute_action(limits, decided, 0.0) == max(within_reach(limits, decided))


@every_case
def test_an_action_becomes_the_nearest_count_within_reach(
    name: str, rounding: Rounding, budgets: tuple[str, ...]
) -> None:
    limits = limits_of(name, rounding, *budgets)
    for decided in rollouts(limits):
        units = limits.graph.full[len(decided)]
        for ratio in (0.0, 0.13, 0.37, 0.61, 0.89, 1.0):
            nearest = min(
                within_reach(limits, decided), key=lambda count: abs(count - units * (1 - ratio))
            )
            assert execute_action(limits, decided, ratio) == nearest


WIDE_ROUNDINGS = {
    "every count": Rounding(),
    "multiples of 8": Rounding(round_to=8, max_ratio=0.9),
    "listed": Rounding(widths=((7, 40, 111, 300), (3, 9, 27, 81, 200), tuple(range(1, 251, 3)))),
}


@pytest.mark.parametrize("rounding", WIDE_ROUNDINGS.values(), ids=WIDE_ROUNDINGS)
@pytest.mark.parametrize("budgets", [("macs=0.2",), ("memory=0.8",), ("params=0.05", "macs=0.3")])
def test_many_rollouts_of_wide_groups_end_where_a_search_through_all_counts_would(
    rounding: Rounding, budgets: tuple[str, ...]
) -> None:
    linear = torch.nn.Linear
    layers = (linear(20, 300), linear(300, 200), linear(200, 250), linear(250, 2))
    graph = trace(torch.nn.Sequential(*layers), torch.zeros(1, 20))
    limits = Limits.of(graph, [Budget.parse(text) for text in budgets], COSTS, rounding)
    ratios = np.random.default_rng(0).random((20, 3))
    ratios[:10] /= 3
    for asked, end in zip(ratios, execute_rollouts(limits, ratios), strict=True):
        decided: tuple[int, ...] = ()
        for here, ratio in enumerate(asked):
            later = limits.smallest[here + 1 :]
            wanted = limits.nearest(here, ratio)
            legal = [count for count in limits.counts[here] if count <= wanted]
            decided += (max(count for count in legal if limits.fits((*decided, count, *later))),)
        assert end == decided


def test_no_rollouts_end_nowhere() -> None:
    assert execute_rollouts(limits_of("plain", Rounding(), "macs=0.4"), []) == []


def test_of_millions_of_single_weights_the_budget_is_met_to_the_last() -> None:
    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(1000, 3000), torch.nn.ReLU(), linear(3000, 2))
    graph = decisions(model, torch.zeros(1, 1000), "element")
    limits = Limits.of(graph, [Budget.parse("params=0.37")], COSTS, Rounding(max_ratio=0.99))
    (end,) = execute_rollouts(limits, np.zeros((1, 2)))
    assert limits.fits(end)
    assert not limits.fits((end[0] + 1, end[1]))


def test_a_tight_budget_binds_and_a_loose_one_does_not() -> None:
    tight = limits_of("plain", Rounding(), "macs=0.15")
    loose = limits_of("plain", Rounding(), "macs=1.0")
    assert execute_action(tight, (), 0.0) < execute_action(loose, (), 0.0) == 5
    assert execute_action(loose, (), 1.0) == tight.smallest[0] == 1


def test_the_last_group_takes_all_that_the_others_left() -> None:
    limits = limits_of("plain", Rounding(), "macs=0.5")
    kept = list(limits.smallest[:-1])
    kept.append(execute_action(limits, kept, 0.0))
    assert limits.fits(kept)
    assert kept[-1] == limits.graph.full[-1]
