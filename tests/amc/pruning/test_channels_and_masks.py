"""Channels and zeros in one budget: the granularities `channel+...`."""

import copy
from math import ceil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import amc
from amc.costs import COSTS, Limits
from amc.finetuning import Recipe, fit
from amc.granularity import Granularity
from amc.policy import Budget
from amc.pruning import Pruner, bake, decisions, held_masks, policy_of, prune
from amc.pruning.narrowing import Narrowed, narrow
from amc.rules import GlobalRanking, project
from amc.tasks import Samples

BOTH = ["channel+element", "channel+kernel", "channel+vector", "channel+2:4", "channel+n:4"]
IMAGES = torch.randn(24, 4, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(24) % 4


def conv_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.Flatten(),
        nn.Linear(128, 4),
    ).eval()


def kept_of(name: str, channels: tuple[int, int], part: float) -> tuple[int, ...]:
    graph = decisions(conv_net(), IMAGES, name)
    finer = [max(1, ceil(group.units * part)) for group in graph.finer]
    return (*channels, *finer)


def left_of(network: nn.Module) -> dict[str, int]:
    """Weights that no mask holds, of every layer."""
    masks = held_masks(network)
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
    weights = {name: m.weight for name, m in network.named_modules() if isinstance(m, kinds)}
    return {
        name: int(masks[name].sum()) if name in masks else weight.numel()
        for name, weight in weights.items()
    }


@pytest.mark.parametrize("name", BOTH)
def test_a_name_says_both_and_is_read_again(name: str) -> None:
    unit = Granularity.parse(name)
    assert (str(unit), unit.masks, unit.cuts) == (name, True, True)
    assert unit.finer == Granularity.parse(name.removeprefix("channel+"))


def test_channels_twice_and_unknown_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="names channels twice"):
        Granularity.parse("channel+channel")
    with pytest.raises(LookupError, match=r"granularity 'elements'.*element"):
        Granularity.parse("channel+elements")


@pytest.mark.parametrize("name", BOTH)
def test_the_decisions_are_those_about_channels_and_then_those_that_mask(name: str) -> None:
    model, unit = conv_net(), Granularity.parse(name)
    graph, channels = decisions(model, IMAGES, name), decisions(model, IMAGES)
    masked = decisions(model, IMAGES, unit.finer)
    assert graph.full == (*channels.full, *masked.full)
    assert [group.name for group in graph.groups] == ["0", "3", "0.weight", "3.weight", "5.weight"]
    assert graph.channels == channels


def test_of_the_finer_units_every_count_is_legal_and_of_channels_multiples() -> None:
    graph = decisions(conv_net(), IMAGES, "channel+element")
    legal = graph.legal(graph.granularity.rounding(4))
    assert [tuple(own) for own in legal[:2]] == [(4, 8), (4, 8)]
    assert (legal[2][0], legal[2][1], legal[2][-1]) == (3, 4, 288)
    pattern = decisions(conv_net(), IMAGES, "channel+2:4")
    assert tuple(pattern.legal(pattern.granularity.rounding(4))[2]) == (2, 4)


counts = st.tuples(st.integers(1, 8), st.integers(1, 8))


@pytest.mark.parametrize("name", BOTH)
@settings(max_examples=15, deadline=None)
@given(channels=counts, part=st.sampled_from([0.05, 0.25, 0.5, 0.75, 1.0]))
def test_costs_count_what_the_network_has(
    name: str, channels: tuple[int, int], part: float
) -> None:
    model = conv_net()
    graph = decisions(model, IMAGES, name)
    kept = kept_of(name, channels, part)
    network = Pruner.of(model, graph, "l1").trainable(kept)
    left = sum(left_of(network).values())
    biases = sum(p.numel() for n, p in network.named_parameters() if n.endswith("bias"))
    assert COSTS["params"](graph)(kept) == left + biases
    smaller = sum(p.numel() for p in bake(copy.deepcopy(network)).parameters())
    shrunk = Pruner.of(model, graph.channels, "l1").network(channels)
    assert smaller == sum(p.numel() for p in shrunk.parameters())
    assert COSTS["macs"](graph)(kept) == COSTS["macs"](graph.channels)(channels)


def test_stored_bytes_by_hand() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 4, bias=False))
    graph = decisions(model, torch.zeros(1, 8), "channel+element")
    # Four of the middle's eight channels: 4 x 8 weights, of which half stay, and 4 x 4 whole ones.
    size = COSTS["size"](graph)((4, 32, 32))
    assert size == (16 * 32 + 32) / 8 + 16 * 4  # a bitmap of 32 weights, and what is dense
    pattern = decisions(model, torch.zeros(1, 8), "channel+2:4")
    assert COSTS["size"](pattern)((4, 2, 4)) == 16 * (32 + 2) / 8 + 16 * 4


def test_a_pattern_holds_in_blocks_that_a_cut_has_broken() -> None:
    graph = decisions(model := conv_net(), IMAGES, "channel+2:4")
    network = Pruner.of(model, graph, "l1").trainable((6, 8, 4, 2, 4))
    mask = held_masks(network)["3"]  # reads 6 channels: a block of 4, and one of 2
    assert mask.shape == (8, 6, 3, 3)
    assert (mask[:, :4].sum(1) == 2).all()
    assert mask[:, 4:].all()


def test_weights_are_ranked_in_what_is_left_and_refit() -> None:
    model, data = conv_net(), Samples(IMAGES, LABELS)
    graph = decisions(model, IMAGES, "channel+element")
    pruner = Pruner.of(model, graph, "l1", calibration=data)
    cut = Pruner.of(model, graph.channels, "l1", calibration=data).network((4, 8))
    weight = cut.get_submodule("3").weight.detach().abs()
    mask = held_masks(pruner.trainable((4, 8, 288, 144, 512)))["3"]
    assert int(mask.sum()) == 72  # a quarter of its units, of 4 x 8 x 9 weights
    assert weight[mask].min() >= weight[~mask].max()


@pytest.mark.parametrize("name", BOTH)
def test_zeros_survive_training(name: str) -> None:
    model = conv_net()
    graph = decisions(model, IMAGES, name)
    kept = kept_of(name, (4, 6), 0.5)
    network = prune(model, policy_of(graph, kept), IMAGES, calibration=Samples(IMAGES, LABELS))
    before = left_of(network)
    fit(network, Samples(IMAGES, LABELS), Recipe(lr=0.1, batch_size=8), steps=4)
    assert left_of(network) == before
    weights: Tensor = network.get_submodule("3").weight
    assert int((weights != 0).sum()) <= before["3"] < weights.numel()


def test_step_by_step_the_same_counts_are_left_and_the_state_comes_back() -> None:
    data = Samples(IMAGES, LABELS)
    model = conv_net()
    graph = decisions(model, IMAGES, "channel+element")
    state = start = Narrowed.start(model, graph)
    for channels, part in (((6, 8), 0.8), ((6, 5), 0.8), ((4, 5), 0.3)):
        kept = kept_of("channel+element", channels, part)
        state = narrow(state, kept, "l1", data)
        assert state.kept == kept
        assert COSTS["params"](graph)(kept) == sum(left_of(state.network).values()) + sum(
            p.numel() for n, p in state.network.named_parameters() if n.endswith("bias")
        )
    again = Narrowed.unpack(start, state.pack())
    assert (again.kept, again.graph) == (state.kept, state.graph)
    assert torch.equal(again.network(IMAGES), state.network(IMAGES))


@pytest.mark.parametrize("criterion", ["random", "l1"])
def test_what_is_zero_stays_so_in_later_steps_whatever_ranks(criterion: str) -> None:
    model = conv_net()
    graph = decisions(model, IMAGES, "channel+element")
    state = Narrowed.start(model, graph)
    for channels, part in (((8, 8), 0.5), ((6, 8), 0.4), ((6, 6), 0.3)):
        kept = kept_of("channel+element", channels, part)
        state = narrow(state, kept, criterion)
        for name, mask in held_masks(state.network).items():
            live = int((state.network.get_submodule(name).weight != 0).sum())
            assert live >= 0.9 * int(mask.sum())


def test_layers_whose_weights_stay_are_named_with_the_reason() -> None:
    graph = decisions(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)),
        torch.zeros(1, 3, 8, 8),
        "channel+2:4",
    )
    reasons = {one.name: one.reason for one in graph.fixed}
    assert "reads 3 inputs, which do not divide into 4" in reasons["0.weight"]


def test_a_ratio_of_channels_is_refused_where_there_is_nothing_beside_them() -> None:
    with pytest.raises(ValueError, match="does not have both channels and weights"):
        amc.search(
            conv_net(),
            IMAGES,
            Samples(IMAGES, LABELS),
            budget="params=0.5",
            granularity="element",
            strategy=GlobalRanking(channels=0.4),
        )


def test_masked_at_full_size_is_refused() -> None:
    graph = decisions(model := conv_net(), IMAGES, "channel+element")
    policy = policy_of(graph, graph.full)
    with pytest.raises(ValueError, match="both zeros and smaller shapes"):
        prune(model, policy, IMAGES, masked=True)


@pytest.mark.parametrize("strategy", ["residual-gp", "uniform", "global", "knapsack", "evolution"])
def test_one_budget_of_stored_bytes_is_spent_on_both(strategy: str, tmp_path: Path) -> None:
    found = amc.search(
        conv_net(),
        IMAGES,
        Samples(IMAGES, LABELS),
        budget="size=0.3",
        granularity="channel+element",
        strategy=strategy,
        episodes=None if strategy in ("uniform", "global") else 8,
        round_to=1,
    )
    assert found.policy.granularity == Granularity.parse("channel+element")
    assert found.result.best.costs["size"] <= 0.3 * found.problem.costs["size"](
        found.problem.graph.full
    )
    found.save(tmp_path)
    again = amc.load_pruned(conv_net(), IMAGES, tmp_path / "model.safetensors")
    assert torch.allclose(again(IMAGES), bake(found.network)(IMAGES), atol=1e-6)


def test_single_weights_may_lose_more_than_channels_may() -> None:
    graph = decisions(conv_net(), IMAGES, "channel+element")
    rounding = graph.granularity.rounding(1)
    limits = Limits.of(graph, [Budget("size", 0.055)], COSTS, rounding)
    kept = project(limits, [0.7, 0.7, 0.95, 0.95, 0.95])
    ratios = graph.ratios(kept)
    assert max(ratios[:2]) <= 0.8 < min(ratios[2:])
    assert limits.fits(kept)
