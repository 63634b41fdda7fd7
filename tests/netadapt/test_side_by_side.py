"""Proposals in parallel processes, and networks that a device measures on the way."""

from dataclasses import replace

import pytest
import torch
from small_networks import by_hand, mixed, striped

from amc import Problem, Recipe, SearchResult
from amc.graph import Kept
from netadapt import NetAdapt

LOOP = NetAdapt(reduction=0.2, steps=3, recipe=Recipe(lr=0.05, batch_size=32))


def problem(granularity: str, budget: str) -> Problem:
    return by_hand(
        mixed(),
        striped(60, seed=1),
        budget,
        train=striped(200, seed=2),
        calibration=striped(40, seed=3),
        granularity=granularity,
    )


def told(result: SearchResult) -> list[tuple[Kept, float]]:
    return [(outcome.kept, outcome.score) for outcome in result.outcomes]


@pytest.mark.parametrize(
    ("granularity", "budget"), [("channel", "macs=0.5"), ("element", "size=0.6")]
)
def test_two_processes_find_what_one_finds_to_the_last_bit(granularity: str, budget: str) -> None:
    serial = LOOP.search(problem(granularity, budget), seed=4)
    parallel = replace(LOOP, jobs=2).search(problem(granularity, budget), seed=4)
    assert told(parallel) == told(serial)
    assert len({kept for kept, _ in told(serial)}) > 2
    assert serial.weights is not None
    assert parallel.weights is not None
    assert list(parallel.weights) == list(serial.weights)
    for name, tensor in serial.weights.items():
        assert torch.equal(parallel.weights[name], tensor), name


def test_fewer_than_one_process_is_refused() -> None:
    with pytest.raises(ValueError, match="jobs is 0; it must be 1 to 256"):
        NetAdapt(jobs=0)


def test_the_loop_goes_on_until_the_device_says_so() -> None:
    """A device on which every network takes a fifth longer than its MACs tell."""
    asked: list[Kept] = []

    def device(kept: Kept) -> float:
        asked.append(kept)
        return 1.2 * slow.costs["macs"](kept)

    slow = by_hand(mixed(), striped(60, seed=1), "macs=0.6", measure={"macs": device})
    result = replace(LOOP, steps=0).search(slow, seed=0)
    assert 1.2 * result.best.costs["macs"] <= 0.6 * slow.costs["macs"](slow.graph.full)
    plain = replace(LOOP, steps=0).search(by_hand(mixed(), striped(60, seed=1), "macs=0.6"), seed=0)
    assert result.best.costs["macs"] < plain.best.costs["macs"]
    assert asked[-1] == result.best.kept
    assert len(asked) == len(set(asked))  # once for each iteration


def test_a_device_that_nothing_satisfies_ends_the_loop_at_the_smallest_network() -> None:
    slow = by_hand(mixed(), striped(60, seed=1), "macs=0.6", measure={"macs": lambda _: 1e12})
    result = NetAdapt(reduction=0.5, steps=0).search(slow, seed=0)
    assert result.best.kept == slow.limits.smallest
