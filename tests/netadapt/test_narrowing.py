"""Narrowing step by step: which units go, and the graph of what is left."""

import copy

import pytest
import torch
from small_networks import Detectors, by_hand, labelled, mixed
from torch import nn

from amc import Samples, trace
from amc.granularity import Granularity
from amc.pruning.masks import held_masks, masking_graph
from amc.pruning.narrowing import Narrowed, narrow, narrower
from amc.surgery import cut
from amc.tracing.build import survey

IMAGE = torch.zeros(1, 1, 8, 8)


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
    whole = Narrowed.start(problem.model, problem.graph)
    row_first = narrow(whole, (4, 1), "l2")
    assert row_read_by(row_first.network) == pytest.approx([0, 0, 1.2, 1.9])
    unit_first = narrow(narrow(whole, (3, 2), "l2"), (3, 1), "l2")
    assert row_read_by(unit_first.network) == [1.5, 1.5, 0]
    assert (row_first.kept, unit_first.kept) == ((4, 1), (3, 1))


def test_a_cut_leaves_the_network_before_it_alone() -> None:
    model = mixed()
    before = copy.deepcopy(model.state_dict())
    state = Narrowed.start(model, trace(model, IMAGE))
    smaller = narrow(state, tuple(units - 2 for units in state.kept), "l1")
    with torch.no_grad():
        for weights in smaller.network.parameters():
            weights.fill_(7)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kept", [(5, 8, 6, 7), (3, 6, 4, 5), (2, 2, 2, 2), (3, 8, 6, 2)])
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
    state = Narrowed.start(model, graph)
    for kept in ((1, 8, 6, 7), (1, 5, 6, 7), (1, 5, 3, 2)):
        state = narrow(state, kept, "l2")
        assert [group.name for group in state.graph.groups] == names
        assert state.kept == kept
        assert state.network(IMAGE).shape == (1, 3)
    assert state.network.get_submodule("depthwise").weight.shape == (1, 1, 3, 3)


@pytest.mark.parametrize("granularity", ["element", "vector", "kernel", "n:4"])
def test_what_a_mask_has_pruned_never_comes_back(granularity: str) -> None:
    model = mixed()
    graph = masking_graph(survey(model, IMAGE), Granularity.parse(granularity))
    state = Narrowed.start(model, graph)
    for part in (0.75, 0.5, 0.25):
        before = held_masks(state.network)
        kept = tuple(max(1, int(units * part)) for units in graph.full)
        state = narrow(state, kept, "random", seed=int(100 * part))
        after = held_masks(state.network)
        assert all((after[name] <= mask).all() for name, mask in before.items())
        assert state.kept == kept
        for group, count in zip(graph.groups, kept, strict=True):
            if count < group.units:
                assert int(after[group.name].sum()) == count * group.unit_weights
        with torch.no_grad():
            for weights in state.network.parameters():
                weights.add_(torch.randn_like(weights))


def test_with_calibration_the_readers_are_refit_to_what_the_network_computes_now() -> None:
    torch.manual_seed(0)
    model = mixed().eval()
    images = torch.randn(40, 1, 8, 8)
    calibration = Samples(images, torch.zeros(40, dtype=torch.long))
    start = Narrowed.start(model, trace(model, IMAGE))
    kept = tuple(units - 1 for units in start.kept)
    wanted = model(images)
    plain = narrow(start, kept, "l1").network.eval()(images)
    refit = narrow(start, kept, "l1", calibration).network.eval()(images)
    assert (refit - wanted).norm() < 0.8 * (plain - wanted).norm()
