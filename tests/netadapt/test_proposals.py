"""One proposal: how much of a group goes, which units, and the graph of what is left."""

import copy

import pytest
import torch
from small_networks import Detectors, by_hand, labelled, mixed, trainable
from torch import nn

from amc import trace
from amc.surgery import cut
from netadapt.proposals import State, cut_further, narrowed, narrower, resource

IMAGE = torch.zeros(1, 1, 8, 8)


@pytest.mark.parametrize("target", [3.0, 2.2, 1.7, 1.3, 1.0, 0.8])
def test_a_proposal_keeps_the_most_units_that_meet_the_target(target: float) -> None:
    problem = trainable("macs=0.4", "params=0.35")
    kept = tuple(units - 1 for units in problem.graph.full)
    for group, counts in enumerate(problem.limits.counts):
        meeting = [
            tried
            for count in counts
            if count < kept[group]
            and resource(problem, tried := (*kept[:group], count, *kept[group + 1 :])) <= target
        ]
        assert narrowed(problem, kept, group, target) == max(meeting, default=None)


def test_the_resource_is_the_use_of_the_scarcest_budget() -> None:
    problem = trainable("macs=0.5", "params=0.25")
    assert resource(problem, problem.graph.full) == pytest.approx(4)
    kept = problem.limits.smallest
    shares = [
        problem.costs[name](kept) / problem.costs[name](problem.graph.full)
        for name in ("macs", "params")
    ]
    assert resource(problem, kept) == pytest.approx(max(shares[0] / 0.5, shares[1] / 0.25))


def row_read_by(network: nn.Module) -> list[float]:
    """The only row that is left."""
    second = network.get_submodule("second")
    assert isinstance(second, nn.Linear)
    (row,) = second.weight.tolist()
    return [float(weight) for weight in row]


def test_the_weakest_go_by_the_weights_as_they_are_now() -> None:
    # Unit 3 is the weakest, but as long as it is there row 1 is the stronger row.
    model = Detectors([6, 6, 6, 0.1], [{0: 1.5, 1: 1.5}, {2: 1.2, 3: 1.9}], [1, 1])
    problem = by_hand(model, labelled((0, 1), (0, 1), (0, 1), (0, 1)), "macs=20")
    whole = State(problem.model, problem.graph)
    row_first = cut_further(whole, (4, 1), "l2")
    assert row_read_by(row_first.network) == pytest.approx([0, 0, 1.2, 1.9])
    unit_first = cut_further(cut_further(whole, (3, 2), "l2"), (3, 1), "l2")
    assert row_read_by(unit_first.network) == [1.5, 1.5, 0]
    assert (row_first.kept, unit_first.kept) == ((4, 1), (3, 1))


def test_a_cut_leaves_the_network_before_it_alone() -> None:
    model = mixed()
    before = copy.deepcopy(model.state_dict())
    state = State(model, trace(model, IMAGE))
    smaller = cut_further(state, tuple(units - 2 for units in state.kept), "l1")
    with torch.no_grad():
        for weights in smaller.network.parameters():
            weights.fill_(7)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kept", [(5, 8, 6, 7), (3, 6, 4, 5), (2, 1, 1, 1), (3, 8, 6, 2)])
def test_the_narrowed_graph_is_that_of_the_smaller_network(kept: tuple[int, ...]) -> None:
    model = mixed()
    graph = trace(model, IMAGE)
    units = tuple(
        tuple(range(full - count, full)) for full, count in zip(graph.full, kept, strict=True)
    )
    assert narrower(graph, units) == trace(cut(model, graph, units), IMAGE)


def test_narrowing_in_two_turns_is_narrowing_once() -> None:
    graph = trace(mixed(), IMAGE)
    halves = narrower(graph, tuple(tuple(range(0, units, 2)) for units in graph.full))
    quarters = narrower(halves, tuple(tuple(range(0, units, 2)) for units in halves.full))
    assert quarters == narrower(graph, tuple(tuple(range(0, units, 4)) for units in graph.full))


def test_a_depthwise_convolution_of_one_channel_stays_in_its_group() -> None:
    model = mixed()
    graph = trace(model, IMAGE)
    names = [group.name for group in graph.groups]
    state = State(model, graph)
    for kept in ((1, 8, 6, 7), (1, 5, 6, 7), (1, 5, 3, 2)):
        state = cut_further(state, kept, "l2")
        assert [group.name for group in state.graph.groups] == names
        assert state.kept == kept
        assert state.network(IMAGE).shape == (1, 3)
    assert state.network.get_submodule("depthwise").weight.shape == (1, 1, 3, 3)
