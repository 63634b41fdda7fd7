"""What tracing finds in a network, checked by hand."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import TINY, Wired, averaged, head, images, random_kept, random_units, tiny
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from amc.costs import Params
from amc.graph import Attribute, Group, PruningGraph, Slice
from amc.modules import kinds
from amc.policy import Budget
from amc.pruning import prune
from amc.rules import uniform_policy
from amc.surgery import check_cut, cut
from amc.tracing.build import GraphError, survey, trace


def graph_of(name: str) -> PruningGraph:
    return trace(tiny(name), images())


def group(graph: PruningGraph, name: str) -> Group:
    return next(group for group in graph.groups if group.name == name)


def sides(group: Group) -> set[str]:
    return {f"{member.module} {member.side}" for member in group.members}


def indices(group: Group, module: str, side: str) -> tuple[tuple[int, ...], ...]:
    return next(m.indices for m in group.members if (m.module, m.side) == (module, side))


def reasons(graph: PruningGraph) -> dict[str, str]:
    return {item.name: item.reason for item in graph.fixed}


RESNET8 = {
    "stem.0": (4, "stem.0 > stem.1 > stages.0.0.conv2 > stages.0.0.bn2"),
    "stages.0.0.conv1": (4, "stages.0.0.conv1 > stages.0.0.bn1"),
    "stages.1.0.conv1": (8, "stages.1.0.conv1 > stages.1.0.bn1"),
    "stages.1.0.conv2": (
        8,
        "stages.1.0.conv2 > stages.1.0.bn2 > stages.1.0.shortcut.0 > stages.1.0.shortcut.1",
    ),
    "stages.2.0.conv1": (16, "stages.2.0.conv1 > stages.2.0.bn1"),
    "stages.2.0.conv2": (
        16,
        "stages.2.0.conv2 > stages.2.0.bn2 > stages.2.0.shortcut.0 > stages.2.0.shortcut.1",
    ),
}
RESNET8_READERS = {
    "stem.0": "stages.0.0.conv1 stages.1.0.conv1 stages.1.0.shortcut.0",
    "stages.0.0.conv1": "stages.0.0.conv2",
    "stages.1.0.conv1": "stages.1.0.conv2",
    "stages.1.0.conv2": "stages.2.0.conv1 stages.2.0.shortcut.0",
    "stages.2.0.conv1": "stages.2.0.conv2",
    "stages.2.0.conv2": "classifier.linear",
}


def test_groups_of_a_residual_network(resnet8: Any) -> None:
    assert [g.name for g in resnet8.graph.groups] == list(RESNET8)
    for found in resnet8.graph.groups:
        units, made_by = RESNET8[found.name]
        readers = RESNET8_READERS[found.name].split()
        wanted = {f"{name} out" for name in made_by.split(" > ")}
        assert found.units == units
        assert sides(found) == wanted | {f"{name} in" for name in readers}


def test_layers_that_make_a_sum_are_one_decision(resnet8: Any) -> None:
    made_by = {g.name: g.layers for g in resnet8.graph.groups}
    assert made_by["stem.0"] == ("stem.0", "stages.0.0.conv2")
    assert made_by["stages.1.0.conv2"] == ("stages.1.0.conv2", "stages.1.0.shortcut.0")


def test_groups_of_a_depthwise_separable_network(mobilenet_v1: Any) -> None:
    graph = mobilenet_v1.graph
    assert [g.name for g in graph.groups] == ["stem.0", *(f"blocks.{n}.conv2" for n in range(13))]
    assert graph.full == (8, 16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for number, found in enumerate(graph.groups[:-1]):
        source = {0: ("stem.0", "stem.1")}.get(
            number, (f"blocks.{number - 1}.conv2", f"blocks.{number - 1}.bn2")
        )
        through = (f"blocks.{number}.conv1", f"blocks.{number}.bn1")
        wanted = {f"{name} out" for name in (*source, *through)}
        assert sides(found) == wanted | {f"blocks.{number}.conv2 in"}
        assert found.layers == (source[0], through[0])


def test_every_unit_of_a_zoo_network_is_one_block_everywhere(zoo: Any) -> None:
    for found in zoo.graph.groups:
        for member in found.members:
            # Of queries, keys and values each has such a block.
            times = 3 if member.module.endswith("qkv") and member.side == "out" else 1
            each = len(member.indices[0]) // times  # more than one where features are flattened
            blocks = (
                tuple(
                    start + each * unit + at
                    for start in range(0, times * each * found.units, each * found.units)
                    for at in range(each)
                )
                for unit in range(found.units)
            )
            assert member.indices == tuple(blocks)


def test_a_unit_before_a_flatten_is_a_block_of_features() -> None:
    found = group(graph_of("flattened"), "2")
    blocks = tuple(tuple(range(4 * unit, 4 * unit + 4)) for unit in range(5))
    assert indices(found, "6", "in") == blocks
    assert indices(found, "2", "out") == ((0,), (1,), (2,), (3,), (4,))


def test_concatenated_channels_stand_behind_each_other() -> None:
    graph = graph_of("concatenated")
    assert indices(group(graph, "left"), "both", "in") == ((0,), (1,), (2,), (3,))
    assert indices(group(graph, "right"), "both", "in") == ((4,), (5,), (6,))


def test_channels_that_meet_in_a_product_are_one_unit() -> None:
    graph = graph_of("gated")
    assert [(g.name, g.units) for g in graph.groups] == [("conv", 4)]
    assert indices(graph.groups[0], "conv", "out") == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert indices(graph.groups[0], "linear", "in") == ((0,), (1,), (2,), (3,))


def test_a_layer_that_runs_twice_is_coupled_with_itself() -> None:
    graph = graph_of("reused")
    wanted = {"stem out", "inner out", "inner in", "norm out", "linear in"}
    assert [sides(g) for g in graph.groups] == [wanted]
    inner = graph.layers[graph.layer_index["inner"]]
    assert inner.positions == 2 * 6 * 6


def test_channels_of_one_layer_that_couple_differently_are_groups_with_names_of_their_own() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        total = net.wide(inputs) + torch.cat([net.left(inputs), net.right(inputs)], 1)
        return net.linear(averaged(torch.relu(total)))

    layers = {"left": nn.Conv2d(3, 2, 1), "right": nn.Conv2d(3, 3, 1), "linear": nn.Linear(5, 4)}
    graph = trace(Wired(forward, wide=nn.Conv2d(3, 5, 1), **layers), images())
    assert [(g.name, g.units, g.layers) for g in graph.groups] == [
        ("wide", 2, ("wide", "left")),
        ("wide#2", 3, ("wide", "right")),
    ]
    assert indices(graph.groups[1], "wide", "out") == ((2,), (3,), (4,))
    assert graph.owner[graph.layer_index["wide"]] == 0


def halves(net: Any, inputs: torch.Tensor) -> torch.Tensor:
    left, right = net.conv(inputs).chunk(2, 1)
    return net.linear(averaged(torch.cat([net.one(left), net.two(right)], 1)))


def slices(net: Any, inputs: torch.Tensor) -> torch.Tensor:
    features = net.conv(inputs)
    return net.linear(averaged(torch.cat([net.one(features[:, :4]), net.two(features[:, 4:])], 1)))


def two_readers() -> dict[str, nn.Module]:
    layers = {"one": nn.Conv2d(4, 2, 1), "two": nn.Conv2d(4, 3, 1), "linear": nn.Linear(5, 4)}
    return {"conv": nn.Conv2d(3, 8, 3), **layers}


def test_halves_that_go_different_ways_stay_of_equal_size() -> None:
    graph = trace(Wired(halves, **two_readers()), images())
    assert [(g.name, g.units) for g in graph.groups] == [("conv", 4), ("one", 2), ("two", 3)]
    assert indices(graph.groups[0], "conv", "out") == ((0, 4), (1, 5), (2, 6), (3, 7))


def test_slices_at_fixed_places_stay() -> None:
    graph = trace(Wired(slices, **two_readers()), images())
    assert [g.name for g in graph.groups] == ["one", "two"]
    assert "its outputs then differ" in reasons(graph)["conv"] or "fails" in reasons(graph)["conv"]


def test_cropping_an_image_is_no_obstacle() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return net.linear(averaged(torch.relu(net.conv(inputs)[:, :, 1:-1, :3])))

    graph = trace(Wired(forward, conv=nn.Conv2d(3, 5, 3), linear=nn.Linear(5, 4)), images())
    assert [g.name for g in graph.groups] == ["conv"]


def test_a_unit_of_a_grouped_convolution_is_one_place_in_every_group() -> None:
    graph = graph_of("grouped")
    assert graph.full == (4, 4, 5)
    assert indices(group(graph, "0"), "0", "out") == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert indices(group(graph, "0"), "2", "in") == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert indices(group(graph, "2"), "2", "out") == ((0, 4), (1, 5), (2, 6), (3, 7))


def test_the_classifier_is_never_pruned(zoo: Any) -> None:
    last = zoo.graph.layers[-1].name
    assert reasons(zoo.graph) == {last: "its channels are outputs of the network"}
    for found in zoo.graph.groups:
        assert f"{last} out" not in sides(found)


def test_all_heads_that_end_in_one_sum_stay_whole() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        features = averaged(net.conv(inputs))
        return net.one(features) + net.two(features)

    heads = {"one": nn.Linear(5, 4), "two": nn.Linear(5, 4)}
    graph = trace(Wired(forward, conv=nn.Conv2d(3, 5, 3), **heads), images())
    assert set(reasons(graph)) == {"one", "two"}


def test_features_that_are_outputs_too_stay_whole() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        features = averaged(net.conv(inputs))
        return {"logits": net.two(net.one(features)), "features": features}

    layers = {"one": nn.Linear(5, 6), "two": nn.Linear(6, 4)}
    graph = trace(Wired(forward, conv=nn.Conv2d(3, 5, 3), **layers), images())
    assert [g.name for g in graph.groups] == ["one"]
    assert reasons(graph)["conv"] == "its channels are outputs of the network"


def joined(order: int) -> Callable[..., torch.Tensor]:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        parts = [inputs, torch.relu(net.conv(inputs))]
        return net.linear(averaged(net.both(torch.cat(parts[::order], 1))))

    return forward


@pytest.mark.parametrize(("order", "first"), [(1, 3), (-1, 0)])
def test_channels_joined_with_the_networks_own_inputs_know_their_places(
    order: int, first: int
) -> None:
    layers = {"both": nn.Conv2d(8, 6, 3), "linear": nn.Linear(6, 4)}
    net = Wired(joined(order), conv=nn.Conv2d(3, 5, 3, padding=1), **layers)
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["conv", "both"]
    assert indices(graph.groups[0], "both", "in") == tuple((first + u,) for u in range(5))


def test_channels_added_to_the_networks_own_inputs_stay() -> None:
    net = Wired(
        lambda net, inputs: net.linear(averaged(net.reader(net.maker(inputs) + inputs))),
        maker=nn.Conv2d(3, 3, 3, padding=1),
        reader=nn.Conv2d(3, 5, 1),
        linear=nn.Linear(5, 4),
    )
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["reader"]
    assert reasons(graph)["maker"].startswith("its ")


def test_a_depthwise_layer_on_the_images_stays() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.ReLU(), nn.Conv2d(3, 5, 1), *head(5))
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["2"]
    assert reasons(graph)["0"] == "its channels are inputs of the network"


BETWEEN: dict[str, tuple[nn.Module, int, dict[str, int]]] = {
    "norm_of_groups": (nn.GroupNorm(2, 8), 8, {"0": 4, "3": 5}),
    "norm_of_all": (nn.GroupNorm(1, 8), 8, {"0": 8, "3": 5}),
    "norm_of_each": (nn.GroupNorm(8, 8), 8, {"0": 8, "3": 5}),
    "instance_norm": (nn.InstanceNorm2d(8, affine=True), 8, {"0": 8, "3": 5}),
    "slopes": (nn.PReLU(8), 8, {"0": 8, "3": 5}),
    "one_slope": (nn.PReLU(), 8, {"0": 8, "3": 5}),
    "transposed": (nn.ConvTranspose2d(8, 8, 1), 8, {"0": 8, "1": 8, "3": 5}),
    "transposed_groups": (nn.ConvTranspose2d(8, 4, 1, groups=2), 4, {"0": 4, "1": 2, "3": 5}),
    "shuffled": (nn.PixelShuffle(2), 2, {"0": 2, "3": 5}),
    "unshuffled": (nn.PixelUnshuffle(2), 32, {"0": 8, "3": 5}),
    "halved": (nn.GLU(1), 4, {"0": 4, "3": 5}),
    "shuffled_channels": (nn.ChannelShuffle(2), 8, {"0": 4, "3": 5}),
    "padded": (nn.ReflectionPad2d(1), 8, {"0": 8, "3": 5}),
    "pooled": (nn.MaxPool2d(2), 8, {"0": 8, "3": 5}),
    "enlarged": (nn.Upsample(scale_factor=2, mode="bilinear"), 8, {"0": 8, "3": 5}),
    "local": (nn.LocalResponseNorm(3), 8, {"3": 5}),
    "softmax": (nn.Softmax(1), 8, {"0": 8, "3": 5}),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_stands_between_two_layers_decides_their_units(name: str) -> None:
    between, channels, units = BETWEEN[name]
    net = nn.Sequential(nn.Conv2d(3, 8, 3), between, nn.ReLU(), nn.Conv2d(channels, 5, 1), *head(5))
    graph = trace(net, images())
    assert {g.name: g.units for g in graph.groups} == units
    for seed in range(3):
        kept = random_units(graph.full, seed)
        check_cut(net, graph, kept, images())
        _assert_widths(graph, kept, cut(net, graph, kept))


def test_a_layer_behind_a_detach_is_followed() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return net.linear(averaged(net.after(torch.relu(net.before(inputs).detach()))))

    layers = {"after": nn.Conv2d(5, 6, 3), "linear": nn.Linear(6, 4)}
    graph = trace(Wired(forward, before=nn.Conv2d(3, 5, 3), **layers), images())
    assert [g.name for g in graph.groups] == ["before", "after"]


def test_layers_and_groups_stand_in_forward_order(zoo: Any) -> None:
    ran: list[str] = []
    hooks = [
        zoo.model.get_submodule(layer.name).register_forward_hook(
            lambda module, args, output, name=layer.name: ran.append(name)
        )
        for layer in zoo.graph.layers
    ]
    with torch.no_grad():
        zoo.model(zoo.inputs)
    for hook in hooks:
        hook.remove()
    assert [layer.name for layer in zoo.graph.layers] == ran
    assert [g.name for g in zoo.graph.groups] == sorted(
        (g.name for g in zoo.graph.groups), key=ran.index
    )


def test_what_is_known_of_a_layer() -> None:
    layers = {layer.name: layer for layer in graph_of("unusual").layers}
    wide, strided = layers["0"], layers["3"]
    assert (wide.kind, wide.outputs, wide.inputs) == ("conv", 7, 3)
    assert (wide.kernel, wide.area, wide.extra) == ((1, 3), 3, 0)
    assert (wide.in_size, wide.positions) == ((8, 8), 64)
    # 8 + 2 * 2 padding - a kernel that spans 5, in steps of 2 and 1.
    assert (strided.stride, strided.positions) == ((2, 1), 4 * 8)
    assert (layers["1"].kind, layers["1"].extra, layers["7"].extra) == ("norm", 0, 2)
    assert (layers["6"].extra, layers["13"].extra) == (1, 1)


def test_a_layer_names_the_norm_that_alone_reads_it() -> None:
    residual = {layer.name: layer.norm for layer in graph_of("residual").layers}
    assert (residual["conv1"], residual["conv3"]) == ("norm1", "norm3")
    assert residual["linear"] is None
    # Both runs of the convolution are followed by the norm, but so may one of them only be.
    assert {layer.norm for layer in graph_of("reused").layers} == {None}


def test_a_norm_that_reads_two_layers_belongs_to_neither() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return net.linear(averaged(net.norm(net.one(inputs)) + net.norm(net.two(inputs))))

    layers = {"norm": nn.BatchNorm2d(5), "linear": nn.Linear(5, 4)}
    net = Wired(forward, one=nn.Conv2d(3, 5, 3), two=nn.Conv2d(3, 5, 3), **layers)
    assert {layer.norm for layer in trace(net, images()).layers} == {None}


def test_a_norm_that_reads_a_sum_belongs_to_no_layer() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        total = net.one(inputs) + net.two(inputs)
        return net.linear(averaged(net.norm(total)))

    layers = {"norm": nn.BatchNorm2d(5), "linear": nn.Linear(5, 4)}
    net = Wired(forward, one=nn.Conv2d(3, 5, 3), two=nn.Conv2d(3, 5, 3), **layers)
    assert {layer.norm for layer in trace(net, images()).layers} == {None}


def test_a_norm_does_not_alone_read_what_is_an_output_too() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = net.conv(inputs)
        return net.linear(net.inner(averaged(net.norm(features)))), features

    layers = {"inner": nn.Linear(5, 6), "linear": nn.Linear(6, 4)}
    net = Wired(forward, conv=nn.Conv2d(3, 5, 3), norm=nn.BatchNorm2d(5), **layers)
    assert {layer.norm for layer in trace(net, images()).layers} == {None}


def test_parameters_outside_of_known_layers_are_counted() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1), Scale(1), nn.Conv2d(5, 6, 1), *head(6))
    assert trace(net, images()).other_params == 1


def test_a_layer_that_never_runs_counts_as_a_parameter_only() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return net.linear(averaged(net.conv(inputs)))

    spare = nn.Conv2d(5, 5, 3, bias=False)
    net = Wired(forward, conv=nn.Conv2d(3, 5, 3), spare=spare, linear=nn.Linear(5, 4))
    graph = trace(net, images())
    assert "spare" not in graph.layer_index
    assert graph.other_params == spare.weight.numel()


@pytest.mark.parametrize("name", TINY)
def test_widths_are_those_of_the_cut_network(name: str) -> None:
    model = tiny(name)
    graph = trace(model, images())
    for seed in range(5):
        units = random_units(graph.full, seed)
        _assert_widths(graph, units, cut(model, graph, units))


def test_widths_are_exact_for_the_zoo(zoo: Any) -> None:
    units = random_units(zoo.graph.full, seed=0)
    _assert_widths(zoo.graph, units, cut(zoo.model, zoo.graph, units))


def _assert_widths(graph: PruningGraph, units: Any, smaller: nn.Module) -> None:
    outputs, inputs = graph.widths([len(staying) for staying in units])
    for layer, wide, deep in zip(graph.layers, outputs, inputs, strict=True):
        module = smaller.get_submodule(layer.name)
        assert (wide, deep) == (kinds.channels(module, "out"), kinds.channels(module, "in"))


def test_widths_of_the_unpruned_network_are_its_own(zoo: Any) -> None:
    outputs, inputs = zoo.graph.widths(zoo.graph.full)
    assert outputs.tolist() == [layer.outputs for layer in zoo.graph.layers]
    assert inputs.tolist() == [layer.inputs for layer in zoo.graph.layers]


def test_every_layer_knows_the_group_that_decides_its_outputs(resnet8: Any) -> None:
    graph = resnet8.graph
    for layer, owner in zip(graph.layers, graph.owner, strict=True):
        making = [n for n, found in enumerate(graph.groups) if layer.name in found.layers]
        assert making == ([owner] if owner >= 0 else [])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))])
@pytest.mark.parametrize("name", ["flattened", "gated"])
def test_a_graph_is_plain_data(name: str, copied: Callable[[PruningGraph], PruningGraph]) -> None:
    graph = graph_of(name)
    kept = random_kept(graph.full, seed=0)
    widths = graph.widths(kept)
    again = copied(graph)
    assert again == graph
    np.testing.assert_array_equal(again.widths(kept), widths)


def test_tracing_leaves_the_network_as_it_was() -> None:
    model = tiny("residual").train()
    model.conv1.weight.requires_grad_(False)
    model.norm2.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trace(model, images())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training
    assert not model.norm2.training
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["conv1.weight"]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_frozen_network_has_the_same_graph() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    assert trace(model.requires_grad_(False), images()) == graph


def test_gradients_may_be_off_around_the_call() -> None:
    with torch.no_grad():
        graph = graph_of("residual")
    assert graph == graph_of("residual")


def test_double_precision_has_the_same_graph() -> None:
    assert trace(tiny("unusual").double(), images().double()) == graph_of("unusual")


def test_a_module_under_two_names_is_one_layer() -> None:
    inner = tiny("flattened")

    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return net.one(inputs)

    graph = trace(Wired(forward, one=inner, two=inner), images())
    assert graph.full == graph_of("flattened").full
    assert graph.other_params == 0


def test_several_inputs_are_given_as_a_tuple() -> None:
    def forward(net: Any, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return net.linear(averaged(torch.relu(net.one(left) + net.two(right))))

    layers = {"two": nn.Conv2d(3, 5, 1), "linear": nn.Linear(5, 4)}
    net = Wired(forward, one=nn.Conv2d(3, 5, 1), **layers)
    graph = trace(net, (images(seed=0), images(seed=1)))
    assert [g.layers for g in graph.groups] == [("one", "two")]


def test_inputs_of_the_wrong_shape_are_named() -> None:
    with pytest.raises(GraphError, match=r"fails on example inputs of shape \(2, 1, 8, 8\)"):
        trace(tiny("residual"), torch.randn(2, 1, 8, 8))


def test_a_network_of_outputs_only_has_nothing_to_prune() -> None:
    with pytest.raises(GraphError, match=r"nothing .* pruned \(0: its channels are outputs"):
        trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), images())


def test_a_network_without_layers_has_nothing_to_prune() -> None:
    with pytest.raises(GraphError, match=r"nothing that can be pruned \(no layers\)"):
        trace(nn.Sequential(nn.Flatten(), Scale(192)), images())


class Scale(nn.Module):
    """A parameter of its own, outside of any known layer."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(shape))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * self.factor


def test_a_parameter_for_each_channel_goes_with_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1), Scale(5, 1, 1), nn.Conv2d(5, 6, 1), *head(6))
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["0", "2"]
    assert graph.groups[0].slices == (Slice("1.factor", 0, tuple((unit,) for unit in range(5))),)
    smaller = cut(net, graph, ((0, 3), tuple(range(6))))
    assert smaller[1].factor.shape == (2, 1, 1)
    assert torch.equal(smaller[1].factor, net[1].factor[[0, 3]])
    assert isinstance(smaller[1].factor, nn.Parameter)


def test_classes_instead_of_logits_are_refused() -> None:
    net = Wired(lambda net, inputs: net.inner(inputs).argmax(1), inner=tiny("residual"))
    with pytest.raises(GraphError, match=r"no floating-point tensors, .* return logits"):
        trace(net, images())


def test_outputs_that_are_no_tensors_are_refused() -> None:
    net = Wired(lambda net, inputs: float(net.inner(inputs).sum()), inner=tiny("residual"))
    with pytest.raises(GraphError, match="no floating-point tensors"):
        trace(net, images())


def test_a_weight_that_is_computed_is_left_alone_with_all_that_meets_it() -> None:
    net = tiny("residual")
    parametrizations.spectral_norm(net.conv2)
    with pytest.raises(GraphError, match="conv1: it meets conv2, which computes its weight"):
        trace(net, images())
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 6, 1), nn.Conv2d(6, 7, 1), *head(7))
    parametrizations.spectral_norm(net[0])
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["1", "2"]
    assert reasons(graph)["0"] == "it meets 0, which computes its weight from other parameters"


def test_a_weight_of_two_layers_is_cut_for_both() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 5, 1), nn.Conv2d(5, 5, 1), *head(5))
    net[2].weight = net[1].weight
    graph = trace(net, images())
    assert [sides(group) for group in graph.groups] == [
        {"0 out", "1 out", "1 in", "2 out", "2 in", "5 in"}
    ]
    smaller = cut(net, graph, ((1, 2, 4),))
    assert smaller[2].weight is smaller[1].weight
    assert smaller[1].weight.shape == (3, 3, 1, 1)
    assert Params(graph)([3]) == sum(parameter.numel() for parameter in smaller.parameters())


def test_layers_are_excluded_by_pattern() -> None:
    graph = trace(tiny("residual"), images(), exclude=("*v2",))
    assert [g.name for g in graph.groups] == ["conv1"]
    assert reasons(graph)["conv2"] == "excluded by hand"


@pytest.mark.parametrize("look", [trace, survey])
def test_a_pattern_that_is_no_list_is_not_read_letter_by_letter(look: Any) -> None:
    with pytest.raises(GraphError, match=r"exclude is 'conv\*'; give a list .* \['conv\*'\]"):
        look(tiny("residual"), images(), exclude="conv*")


def test_the_graph_remembers_what_was_excluded_so_that_its_policy_can_be_applied() -> None:
    network = tiny("residual")
    for seen in (trace, survey):
        assert seen(network, images(), exclude=["*v2"]).exclude == ("*v2",)
    policy = uniform_policy(trace(network, images(), exclude=["*v2"]), Budget("macs", 0.8))
    smaller = prune(network, policy, images())
    assert smaller.conv2.weight.shape[0] == network.conv2.weight.shape[0]


def test_what_goes_together_with_an_excluded_layer_stays_too() -> None:
    graph = trace(tiny("residual"), images(), exclude=("norm3",))
    assert [g.name for g in graph.groups] == ["conv2"]
    assert reasons(graph)["conv1"] == "it goes together with norm3, excluded by hand"
    assert reasons(graph)["conv3"] == "it goes together with norm3, excluded by hand"


def test_a_pattern_of_no_layer_is_refused_with_similar_ones() -> None:
    with pytest.raises(GraphError, match=r"no layer matches .* 'konv1'; similar layers are conv1"):
        trace(tiny("residual"), images(), exclude=("conv2", "konv1"))


def test_a_number_of_the_code_changes_with_the_units_that_it_counts() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        features = net.conv(inputs)
        return net.linear(features.view(-1, net.width, features[0, 0].numel()).mean(2))

    net = Wired(forward, conv=nn.Conv2d(3, 5, 3), linear=nn.Linear(5, 4))
    net.width = 5
    graph = trace(net, images())
    assert graph.groups[0].attributes == (Attribute("", "width", 1),)
    smaller: Any = cut(net, graph, ((0, 3),))
    assert (smaller.width, net.width) == (2, 5)
    assert smaller(images()).shape == (2, 4)


def test_two_layers_that_one_number_counts_cannot_be_cut_apart() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        made = (net.one(inputs), net.two(inputs))
        left, right = (part.view(-1, net.width, 64).mean(2) for part in made)
        return net.left(left) + net.right(right)

    convs = {"one": nn.Conv2d(3, 5, 1), "two": nn.Conv2d(3, 5, 1), "body": nn.Conv2d(3, 6, 1)}
    heads = {"left": nn.Linear(5, 4), "right": nn.Linear(5, 4), "other": nn.Linear(6, 4)}
    net = Wired(lambda n, x: forward(n, x) + n.other(averaged(n.body(x))), **convs, **heads)
    net.width = 5
    graph = trace(net, images())
    assert [g.name for g in graph.groups] == ["body"]
    assert {"one", "two"} <= set(reasons(graph))


class Recurrent(nn.Module):
    """Words to tags; the hidden units stand in three gates each."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(9, 6), nn.Linear(10, 3)
        self.recurrent = nn.GRU(6, 10, 2, batch_first=True)

    def forward(self, words: Tensor) -> Tensor:
        """(samples, length) to (samples, length, 3)."""
        tags: Tensor = self.head(self.recurrent(self.words(words))[0])
        return tags


def test_widths_of_a_recurrent_layer_are_its_hidden_units_and_what_it_reads() -> None:
    graph = trace(Recurrent().eval(), torch.zeros(1, 4, dtype=torch.long))
    assert [group.name for group in graph.groups] == ["words", "recurrent"]
    outputs, inputs = graph.widths((4, 7))
    assert outputs.tolist() == [4, 7, 3]
    assert inputs.tolist() == [9, 4, 7]


def test_widths_of_a_weight_that_code_multiplies_with() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.Linear(4, 12), nn.Linear(20, 3)
            self.weight = nn.Parameter(torch.randn(12, 20))

        def forward(self, x: Tensor) -> Tensor:
            after: Tensor = self.after(torch.relu(torch.relu(self.before(x)) @ self.weight))
            return after

    graph = trace(Own().eval(), torch.randn(1, 4))
    outputs, inputs = graph.widths((5, 9))
    rows = [graph.layer_index[name] for name in ("before", "weight", "after")]
    assert outputs[rows].tolist() == [5, 9, 3]
    assert inputs[rows].tolist() == [4, 5, 9]
