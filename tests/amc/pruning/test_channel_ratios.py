"""Ratios for torch-pruning: its own pruner makes of them the network that ours is."""

import copy

import pytest
import torch_pruning
from architectures import ARCHITECTURES
from hypothesis import given
from hypothesis import strategies as some
from tiny_networks import images, random_kept, tiny
from torch import nn

from amc.export import channel_ratios
from amc.graph import Group, Layer, Member, PruningGraph
from amc.pruning import decisions, policy_of, prune
from amc.tracing.build import trace


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("zoo", "steps"), [("resnet20", 1), ("mobilenet-v1", 1), ("resnet8", 3)], indirect=["zoo"]
)
def test_its_pruner_keeps_the_channels_that_ours_does(zoo, steps):
    kept = random_kept(zoo.graph.full, seed=1)
    ours = prune(zoo.model, policy_of(zoo.graph, kept), zoo.inputs, graph=zoo.graph)
    theirs = copy.deepcopy(zoo.model)
    ratios = channel_ratios(zoo.graph, kept)
    pruner = torch_pruning.pruner.BasePruner(
        *(theirs, zoo.inputs, torch_pruning.importance.MagnitudeImportance(p=1)),
        pruning_ratio=0,
        pruning_ratio_dict={theirs.get_submodule(name): part for name, part in ratios.items()},
        iterative_steps=steps,
    )
    for _ in range(steps):
        pruner.step()
    assert shapes(theirs) == shapes(ours)
    assert shapes(theirs) != shapes(zoo.model)


def test_every_layer_of_a_group_is_named_in_forward_order():
    graph = trace(tiny("residual"), images(2))
    ratios = channel_ratios(graph, (2, 3))
    layers = [layer.name for layer in graph.layers if layer.name in ratios]
    assert list(ratios) == layers
    for group, kept in zip(graph.groups, (2, 3), strict=True):
        for name in group.layers:
            assert ratios[name] == pytest.approx(1 - kept / group.units, abs=0.01)


def test_whole_groups_have_the_ratio_0():
    graph = trace(tiny("residual"), images(2))
    assert set(channel_ratios(graph, graph.full).values()) == {0.0}


@given(some.integers(1, 20_000).flatmap(lambda n: some.tuples(some.just(n), some.integers(1, n))))
def test_its_rounding_finds_the_kept_count(counts):
    total, kept = counts
    layer = Layer("one", "linear", outputs=total, inputs=1, area=1)
    member = Member("one", "out", tuple((unit,) for unit in range(total)))
    graph = PruningGraph((layer,), (Group("one", total, (member,), ("one",)),))
    (ratio,) = channel_ratios(graph, (kept,)).values()
    assert int(total * (1 - ratio)) == round(total * (1 - ratio)) == kept


@pytest.mark.parametrize("name", ["ViT, qkv by chunk", "ViT, qkv by reshape"])
def test_heads_are_no_channels_to_it(name):
    network = ARCHITECTURES[name]
    graph = trace(network.build(), network.inputs())
    ratios = channel_ratios(graph, (1,) * len(graph.groups))
    named = {layer.name for layer in graph.layers if layer.kind != "norm"}
    assert {name for name in named - ratios.keys() if "qkv" in name} == {
        *("blocks.0.0.inner.1.qkv", "blocks.1.0.inner.1.qkv")
    }
    assert "patches" in ratios


def test_places_in_every_group_are_channels_to_it():
    graph = trace(tiny("gated"), images(2))
    assert channel_ratios(graph, (3,)) == {"conv": pytest.approx(0.25, abs=0.01)}


def test_zeros_cannot_be_told_in_ratios_of_channels():
    graph = decisions(tiny("residual"), images(1), "element")
    with pytest.raises(ValueError, match=r"removes whole channels.*granularity element.*as json"):
        channel_ratios(graph, graph.full)
