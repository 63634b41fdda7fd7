"""The loop with its short fine-tuning, on a network that really learns."""

import copy

import pytest
import torch
from small_networks import mixed, striped, trainable

from amc import Recipe, SearchResult, prune
from experiments.studies.accuracies import fast_accuracy
from netadapt import Iteration, NetAdapt

RECIPE = Recipe(lr=0.05, batch_size=32)
STEPS = 4


def search(seed: int = 0, steps: int = STEPS) -> tuple[SearchResult, list[Iteration]]:
    seen: list[Iteration] = []
    loop = NetAdapt(reduction=0.2, steps=steps, recipe=RECIPE, on_iteration=seen.append)
    return loop.search(trainable("macs=0.4"), seed), seen


def told(result: SearchResult) -> list[tuple[tuple[int, ...], float]]:
    return [(outcome.kept, outcome.score) for outcome in result.outcomes]


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    one, same, other = search(0)[0], search(0)[0], search(1)[0]
    assert told(one) == told(same) != told(other)
    assert one.weights is not None
    assert same.weights is not None
    assert all(torch.equal(tensor, same.weights[name]) for name, tensor in one.weights.items())


@pytest.mark.parametrize("steps", [0, STEPS])
def test_the_weights_belong_to_the_network_that_the_policy_makes(steps: int) -> None:
    result, _ = search(steps=steps)
    problem = trainable("macs=0.4")
    network = prune(problem.model, problem.policy(result.best.kept), problem.example_inputs)
    assert result.weights is not None
    network.load_state_dict(result.weights)
    assert fast_accuracy(network, problem.graph, striped(60, seed=1)) == result.best.score


def test_each_iteration_tunes_the_winner_a_little_more() -> None:
    result, iterations = search()
    assert len(iterations) > 1
    assert result.tuned_steps == len(iterations) * STEPS
    assert result.weights is not None
    assert int(result.weights["norm1.num_batches_tracked"]) == len(iterations) * STEPS


def test_fine_tuning_pays() -> None:
    assert search(steps=20)[0].best.score > search(steps=0)[0].best.score + 0.2


def test_the_network_searched_is_left_as_it_was() -> None:
    model = mixed()
    before = copy.deepcopy(model.state_dict())
    problem = trainable("macs=0.4", model=model)
    NetAdapt(reduction=0.3, steps=STEPS, recipe=RECIPE).search(problem, 0)
    assert problem.model is model
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_global_generator_is_left_as_it_was() -> None:
    problem = trainable("macs=0.4")
    before = torch.get_rng_state()
    NetAdapt(reduction=0.3, steps=STEPS, recipe=RECIPE).search(problem, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_depthwise_group_may_come_down_to_one_channel() -> None:
    problem = trainable("macs=0.1", depth=False)
    result = NetAdapt(reduction=0.3, steps=0).search(problem, 0)
    assert result.best.kept[0] == 1
    assert problem.limits.fits(result.best.kept)
