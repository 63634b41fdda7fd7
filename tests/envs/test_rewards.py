"""What an episode earns, by hand."""

import math

import pytest
from random_networks import network, problem

from amc import Outcome
from envs import PruningEnv
from envs.rewards import REWARDS

COSTS = {
    "macs": 500.0,
    "params": 200.0,
    "size": 900.0,
    "memory": 7e3,
    "energy": 3e-9,
    "latency": 2e-6,
}
OUTCOME = Outcome(0, (3, 4), 0.75, COSTS, 0.0)


@pytest.mark.parametrize(
    ("name", "reward"),
    [
        ("error", -0.25),
        ("flops", -0.25 * math.log(1000)),  # two operations a multiply-accumulate
        ("params", -0.25 * math.log(200)),
        ("size", -0.25 * math.log(900)),
        ("memory", -0.25 * math.log(7000)),
        ("energy", -0.25 * math.log(3000)),  # in picojoules
        ("latency", -0.25 * math.log(2000)),  # in nanoseconds
    ],
)
def test_rewards_by_hand(name: str, reward: float) -> None:
    assert REWARDS[name](OUTCOME) == pytest.approx(reward)


def test_a_cost_that_is_not_told_is_named() -> None:
    with pytest.raises(LookupError, match="unknown cost 'latency'"):
        REWARDS["latency"](Outcome(0, (3, 4), 0.75, {"macs": 500.0}, 0.0))


def test_the_names_are_those_of_the_documentation() -> None:
    assert set(REWARDS) == {"error", "flops", "params", "size", "memory", "energy", "latency"}


@pytest.mark.parametrize("name", REWARDS)
def test_a_perfect_network_earns_nothing_less_than_any_other(name: str) -> None:
    perfect = Outcome(0, (3, 4), 1.0, OUTCOME.costs, 0.0)
    assert REWARDS[name](perfect) == 0 > REWARDS[name](OUTCOME)


@pytest.mark.parametrize(("name", "cost"), [("flops", "macs"), ("params", "params")])
def test_at_equal_accuracy_the_smaller_network_earns_more(name: str, cost: str) -> None:
    smaller = Outcome(0, (1, 1), 0.75, {**OUTCOME.costs, cost: 100.0}, 0.0)
    assert REWARDS[name](smaller) > REWARDS[name](OUTCOME)


def test_a_misspelt_reward_is_answered_with_the_closest_name() -> None:
    with pytest.raises(LookupError, match="unknown reward 'flop'; did you mean 'flops'"):
        PruningEnv(problem(network(3, [])), reward="flop")
