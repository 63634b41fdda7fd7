"""Units finer than a channel: by hand, by brute force, and through training, copies and files."""

import copy
import io
from math import ceil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import residual
from torch import Tensor, nn

from amc.finetuning import Recipe, fit
from amc.granularity import Granularity
from amc.pruning import decisions
from amc.pruning.masks import (
    apply_masks,
    bake,
    held_masks,
    hold,
    masking_graph,
    masks_of,
    unit_order,
    unit_scores,
)
from amc.tasks.samples import Samples
from amc.tracing.build import survey

MASKING = ["element", "vector", "kernel", "2:4", "n:4", "1:4"]


def saliency(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def conv_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(128, 4)
    )


IMAGES = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_kernel_goes_as_a_whole_and_the_weakest_first() -> None:
    scores = torch.tensor([[5.0, 1.0], [2.0, 4.0]])[:, :, None, None].expand(2, 2, 3, 3)
    order = unit_order(scores, Granularity.parse("kernel"))
    assert order[:, :, 0, 0].tolist() == [[0, 3], [2, 1]]
    assert torch.equal(order, order[:, :, :1, :1].expand(2, 2, 3, 3))


def test_a_vector_is_a_row_of_a_kernel() -> None:
    scores = torch.zeros(1, 1, 3, 3)
    scores[0, 0, 1] = 1
    mask = unit_order(scores, Granularity.parse("vector")) < 1
    assert mask[0, 0].tolist() == [[False] * 3, [True] * 3, [False] * 3]


def test_elements_of_equal_score_go_from_the_end() -> None:
    mask = unit_order(torch.ones(2, 3), Granularity.parse("element")) < 4
    assert mask.tolist() == [[True, True, True], [True, False, False]]


@pytest.mark.parametrize("axis", [0, 1])
@given(kept=st.integers(1, 3), seed=st.integers(0, 99))
def test_of_every_four_consecutive_inputs_the_best_stay(axis: int, kept: int, seed: int) -> None:
    scores = saliency(seed, 8, 4, 3, 3).transpose(0, 1 - axis)
    mask = unit_order(scores, Granularity.parse("n:4"), axis) < kept
    blocks = mask.movedim(axis, -1).reshape(-1, 4)
    values = scores.movedim(axis, -1).reshape(-1, 4)
    assert (blocks.sum(1) == kept).all()
    for block, value in zip(blocks, values, strict=True):
        assert value[block].min() >= value[~block].max()


@pytest.mark.parametrize("name", MASKING)
def test_unit_scores_add_up_and_the_kept_ones_are_the_largest(name: str) -> None:
    granularity = Granularity.parse(name)
    scores = saliency(3, 8, 4, 3, 3)
    units = unit_scores(scores, granularity)
    assert units.sum().item() == pytest.approx(scores.sum().item(), rel=1e-5)
    order = unit_order(scores, granularity)
    for kept in (1, len(units) // 2, len(units)):
        best = units.sort(descending=True).values[:kept].sum().item()
        assert scores[order < kept].sum().item() == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("name", MASKING)
def test_the_counts_of_a_group_are_those_of_its_weights(name: str) -> None:
    model, granularity = conv_net(), Granularity.parse(name)
    graph = masking_graph(survey(model, IMAGES), granularity)
    assert [group.name for group in graph.groups] == ["0", "2", "4"]
    for group in graph.groups:
        weight = model.get_submodule(group.name).weight
        assert group.units * group.unit_weights == weight.numel()
        order = unit_order(weight.detach().abs(), granularity)
        kept = ceil(group.units / 2)
        assert int((order < kept).sum()) == kept * group.unit_weights


def test_a_layer_whose_inputs_do_not_divide_stays_whole_and_says_so() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3))
    graph = masking_graph(survey(model, torch.zeros(1, 3, 8, 8)), Granularity.parse("2:4"))
    assert [group.name for group in graph.groups] == ["1"]
    assert graph.fixed[0].name == "0"
    assert "reads 3 inputs, which do not divide into 4" in graph.fixed[0].reason


def test_excluded_layers_stay_whole() -> None:
    graph = masking_graph(survey(conv_net(), IMAGES, exclude=["4"]), Granularity.parse("element"))
    assert [group.name for group in graph.groups] == ["0", "2"]
    assert graph.fixed[0].reason == "excluded by hand"


def test_nothing_left_to_mask_is_refused() -> None:
    graph = survey(conv_net(), IMAGES, exclude=["*"])
    with pytest.raises(ValueError, match="nothing to prune at granularity element"):
        masking_graph(graph, Granularity.parse("element"))


def test_a_network_without_channels_to_prune_can_be_masked() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 4))
    graph = decisions(model, IMAGES, "element")
    assert graph.full == (1024,)
    with pytest.raises(ValueError, match="nothing that can be pruned"):
        decisions(model, IMAGES)


def test_layers_that_share_their_weight_stay_whole() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 256), nn.Linear(256, 256), nn.Linear(256, 4))
    model[2].weight = model[1].weight
    graph = decisions(model, IMAGES, "element")
    assert [group.name for group in graph.groups] == ["3"]
    assert [(item.name, item.reason) for item in graph.fixed] == [
        ("1", "it meets 1, which shares its weight with 2"),
        ("2", "it meets 2, which shares its weight with 1"),
    ]


def some_masks(model: nn.Module, name: str) -> dict[str, Tensor]:
    granularity = Granularity.parse(name)
    graph = masking_graph(survey(model, IMAGES), granularity)
    orders = {
        group.name: unit_order(model.get_submodule(group.name).weight.detach().abs(), granularity)
        for group in graph.groups
    }
    kept = [max(1, group.units // 2) for group in graph.groups]
    return masks_of(graph.groups, orders, kept, granularity)


@pytest.mark.parametrize("name", MASKING)
def test_masks_survive_training_copies_and_state_dicts(name: str) -> None:
    model = conv_net()
    masks = some_masks(model, name)
    held = hold(copy.deepcopy(model), masks)
    labels = torch.arange(6) % 4
    fit(held, Samples(IMAGES, labels), Recipe(lr=0.1, batch_size=3), steps=4)
    assert held_masks(held).keys() == masks.keys()
    changed = False
    for layer, kept in masks.items():
        weight = held.get_submodule(layer).weight.detach()
        assert (weight[~kept] == 0).all()
        changed |= not torch.equal(weight[kept], model.get_submodule(layer).weight[kept])
    assert changed
    file = io.BytesIO()
    torch.save(held.state_dict(), file)
    file.seek(0)
    again = hold(conv_net(), {layer: torch.ones_like(kept) for layer, kept in masks.items()})
    again.load_state_dict(torch.load(file, weights_only=True))
    for layer, kept in held_masks(again).items():
        assert torch.equal(kept, masks[layer])
    assert torch.allclose(again(IMAGES), copy.deepcopy(held)(IMAGES), atol=1e-5)


def test_baked_masks_are_plain_zeros_in_the_network_as_it_was() -> None:
    model = conv_net()
    masks = some_masks(model, "element")
    held = hold(copy.deepcopy(model), masks)
    logits = held(IMAGES)
    baked = bake(held)
    assert baked.state_dict().keys() == model.state_dict().keys()
    assert torch.equal(baked(IMAGES), logits)
    assert torch.equal(apply_masks(model, masks)(IMAGES), logits)
    assert not held_masks(baked)


def test_a_copy_is_baked_without_the_network_itself() -> None:
    model = hold(conv_net(), some_masks(conv_net(), "element"))
    logits = model(IMAGES)
    copied = bake(copy.deepcopy(model))
    assert torch.equal(copied(IMAGES), logits)
    assert torch.equal(model(IMAGES), logits)
    assert type(copied[0]) is nn.Conv2d
    assert held_masks(model)


def test_zeroing_leaves_the_network_itself_alone() -> None:
    model = residual()
    before = copy.deepcopy(model.state_dict())
    apply_masks(model, {"conv1": torch.zeros_like(model.get_submodule("conv1").weight) > 0})
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
