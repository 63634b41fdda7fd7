"""Really smaller networks: the same function as the masked one, and nothing else touched."""

import copy
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_networks import TINY, Wired, averaged, images, random_kept, random_units, samples, tiny
from torch import Tensor, nn

from amc.criteria import best_units, scores
from amc.graph import Group, Member, PruningGraph
from amc.policy import GroupChoice, Policy, PolicyError
from amc.pruning import kept_counts, policy_of, prune
from amc.refit.moments import Moments
from amc.surgery import SurgeryError, check_cut, cut, mask
from amc.tasks.samples import Samples
from amc.tracing.build import trace

ROOT = Path(__file__).parents[3]


def outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(inputs)
    return found


def assert_same_outputs(
    one: nn.Module, other: nn.Module, inputs: Tensor, room: float = 1e-5
) -> None:
    wanted = outputs(other, inputs)
    assert (outputs(one, inputs) - wanted).abs().max() <= room * wanted.abs().max()


def random_policy(graph: PruningGraph, seed: int, criterion: str = "l1") -> Policy:
    return policy_of(graph, random_kept(graph.full, seed), criterion=criterion)


def calibration_for(inputs: Tensor) -> Samples:
    shape = (60, *inputs.shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    return Samples(noise, torch.zeros(60, dtype=torch.long))


def assert_own_numbers(model: nn.Module) -> None:
    """What modules say of themselves agrees with their tensors."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            shape = (module.out_channels, module.in_channels // module.groups, *module.kernel_size)
            assert module.weight.shape == shape
            assert module.bias is None or len(module.bias) == module.out_channels
        elif isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features)
            assert module.bias is None or len(module.bias) == module.out_features
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is None or len(tensor) == module.num_features


@pytest.mark.parametrize("refit", [False, True], ids=["selected", "refit"])
def test_the_cut_zoo_equals_the_masked_one(zoo: Any, refit: bool) -> None:
    moments = None
    if refit:
        moments = Moments.collect(zoo.model, zoo.graph, calibration_for(zoo.inputs), positions=5)
    for seed in range(2):
        units = random_units(zoo.graph.full, seed)
        smaller = cut(zoo.model, zoo.graph, units, moments)
        # Weights refit to few samples are large, and their products cancel.
        wanted = mask(zoo.model, zoo.graph, units, moments)
        assert_same_outputs(smaller, wanted, zoo.inputs, room=1e-4 if refit else 1e-5)
        assert_own_numbers(smaller)


@pytest.mark.parametrize("refit", [False, True], ids=["selected", "refit"])
@pytest.mark.parametrize("name", TINY)
def test_the_cut_network_equals_the_masked_one(name: str, refit: bool) -> None:
    model = tiny(name)
    graph = trace(model, images())
    moments = Moments.collect(model, graph, samples(50)) if refit else None
    for seed in range(6):
        units = random_units(graph.full, seed)
        smaller = cut(model, graph, units, moments)
        assert_own_numbers(smaller)
        # In double precision, where processors that round sums differently agree.
        wanted = mask(model, graph, units, moments).double()
        assert_same_outputs(smaller.double(), wanted, images(4).double(), room=1e-9)


def test_prune_gives_the_same_network_cut_or_masked(resnet8: Any) -> None:
    policy, data = random_policy(resnet8.graph, 0), calibration_for(resnet8.inputs)
    smaller = prune(resnet8.model, policy, resnet8.inputs, calibration=data)
    masked = prune(resnet8.model, policy, resnet8.inputs, calibration=data, masked=True)
    assert_same_outputs(smaller, masked, resnet8.inputs)


def test_a_masked_network_has_its_full_size_and_zeros(resnet8: Any) -> None:
    policy = random_policy(resnet8.graph, 0)
    masked = prune(resnet8.model, policy, resnet8.inputs, masked=True)
    before = resnet8.model.state_dict()
    assert {k: v.shape for k, v in masked.state_dict().items()} == {
        k: v.shape for k, v in before.items()
    }
    for choice in policy.groups:
        filters = masked.get_submodule(choice.name).weight.flatten(1)
        assert int((filters == 0).all(1).sum()) == choice.total - choice.kept
    # Nothing is divided by nearly nothing.
    assert masked.get_submodule("stem.1").running_var.min() >= 0.5


def test_what_stays_without_a_refit_are_the_best_filters_themselves(resnet8: Any) -> None:
    graph, kept = resnet8.graph, random_kept(resnet8.graph.full, seed=1)
    ranking = scores("l2", resnet8.model, graph)
    smaller = prune(resnet8.model, policy_of(graph, kept, criterion="l2"), resnet8.inputs)
    stem = resnet8.model.get_submodule("stem.0").weight
    staying = list(best_units(ranking, kept)[0])
    assert torch.equal(smaller.get_submodule("stem.0").weight, stem[staying])


def test_the_criterion_of_the_policy_decides() -> None:
    model = tiny("perceptron")
    graph = trace(model, images())
    model[1].weight.data[0] = 0
    # One large weight: unit 1 leads by L2, and not by L1.
    model[1].weight.data[1] = 0
    model[1].weight.data[1, 0] = 1.5
    kept = {name: best_units(scores(name, model, graph), (4, 7))[0] for name in ("l1", "l2")}
    assert kept["l1"] != kept["l2"]
    for name, units in kept.items():
        smaller = prune(model, policy_of(graph, (4, 7), criterion=name), images())
        assert torch.equal(smaller[1].weight, model[1].weight[list(units)])


def test_shapes_by_hand() -> None:
    model = tiny("depthwise")
    policy = policy_of(trace(model, images()), (2, 3))
    shapes = {
        key: tuple(tensor.shape)
        for key, tensor in prune(model, policy, images()).state_dict().items()
        if tensor.dim()
    }
    norm = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (2,))
    assert shapes == {
        **{"0.weight": (2, 3, 3, 3), "3.weight": (2, 1, 3, 3)},
        **{f"{layer}.{key}": size for layer in (1, 4) for key, size in norm.items()},
        **{"6.weight": (3, 2, 1, 1), "6.bias": (3,), "10.weight": (4, 3), "10.bias": (4,)},
    }


def test_a_depthwise_layer_of_one_channel_still_runs() -> None:
    model = tiny("depthwise")
    policy = policy_of(trace(model, images()), (1, 1))
    smaller = prune(model, policy, images())
    assert (smaller[3].groups, smaller[3].in_channels, smaller[3].out_channels) == (1, 1, 1)
    assert_same_outputs(smaller, prune(model, policy, images(), masked=True), images())


def test_a_cut_network_can_be_cut_again() -> None:
    model = tiny("residual")
    once = prune(model, policy_of(trace(model, images()), (4, 4)), images())
    graph = trace(once, images())
    assert graph.full == (4, 4)
    twice = prune(once, policy_of(graph, (2, 3)), images())
    assert trace(twice, images()).full == (2, 3)


@pytest.mark.parametrize("name", TINY)
def test_keeping_everything_changes_nothing(name: str) -> None:
    model = tiny(name)
    policy = policy_of(trace(model, images()), trace(model, images()).full)
    smaller = prune(model, policy, images(), calibration=samples(20))
    assert torch.equal(outputs(smaller, images()), outputs(model, images()))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", TINY)
def test_the_original_is_left_untouched(name: str, masked: bool) -> None:
    model = tiny(name).train()
    before = copy.deepcopy(model)
    policy = random_policy(trace(model, images()), 0)
    smaller = prune(model, policy, images(), calibration=samples(20), masked=masked)
    with torch.no_grad():
        for parameter in smaller.parameters():
            parameter.fill_(7.0)
        for buffer in smaller.buffers():
            buffer.fill_(7)
    assert model.training
    assert_own_numbers(model)
    for (key, old), new in zip(
        before.state_dict().items(), model.state_dict().values(), strict=True
    ):
        assert torch.equal(old, new), key


def test_the_copy_keeps_mode_frozen_parameters_and_learns_on() -> None:
    model = tiny("residual").train()
    model.conv2.weight.requires_grad_(False)
    smaller = prune(model, policy_of(trace(model, images()), (3, 2)), images())
    assert smaller.training
    assert [n for n, p in smaller.named_parameters() if not p.requires_grad] == ["conv2.weight"]
    assert all(isinstance(p, nn.Parameter) and p.is_leaf for p in smaller.parameters())
    smaller(images()).sum().backward()
    assert smaller.conv1.weight.grad is not None
    assert model.conv1.weight.grad is None


def test_module_under_two_names_stays_one() -> None:
    inner = tiny("flattened")
    net = Wired(lambda net, inputs: net.one(inputs), one=inner, two=inner)
    smaller = prune(net, random_policy(trace(net, images()), 0), images())
    assert smaller.one is smaller.two


def test_double_precision_stays_double() -> None:
    model, inputs = tiny("unusual").double(), images().double()
    smaller = prune(model, random_policy(trace(model, inputs), 0), inputs)
    assert {p.dtype for p in smaller.parameters()} == {torch.float64}


@pytest.mark.parametrize("refit", [False, True], ids=["selected", "refit"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(resnet8: Any, refit: bool) -> None:
    data = calibration_for(resnet8.inputs) if refit else None
    policy = random_policy(resnet8.graph, 0)
    one, same, other = (
        prune(resnet8.model, policy, resnet8.inputs, calibration=data, seed=seed).state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(tensor, same[key]) for key, tensor in one.items())
    assert all(torch.equal(tensor, other[key]) for key, tensor in one.items()) != refit


def test_pruning_draws_nothing_from_the_global_generator() -> None:
    model = tiny("residual")
    before = torch.get_rng_state()
    policy = random_policy(trace(model, images()), 0)
    prune(model, policy, images(), calibration=samples(20))
    assert torch.equal(torch.get_rng_state(), before)


def digest() -> str:
    """Of the weights of one pruned and refit network."""
    model = tiny("concatenated")
    policy = policy_of(trace(model, images()), (2, 2, 3))
    state = prune(model, policy, images(), calibration=samples(50)).state_dict()
    weights = (state[key].numpy().tobytes() for key in sorted(state))
    return hashlib.sha256(b"".join(weights)).hexdigest()


def test_another_process_gives_the_same_weights() -> None:
    script = "import torch; torch.set_num_threads(1); import test_surgery as t; print(t.digest())"
    here = Path(__file__).parent
    folders = os.pathsep.join(map(str, [ROOT, here, here.parent]))
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": folders}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_a_policy_round_trips_through_a_network(resnet8: Any) -> None:
    kept = random_kept(resnet8.graph.full, seed=4)
    policy = policy_of(resnet8.graph, kept, origin={"strategy": "test"})
    assert kept_counts(Policy.from_json(policy.to_json()), resnet8.graph) == kept


def other_network(**change: Any) -> Policy:
    groups = [GroupChoice("conv1", 3, 6), GroupChoice("conv2", 2, 5)]
    if "extra" in change:
        groups.append(change["extra"])
    if "second" in change:
        groups[1] = change["second"]
    return Policy(tuple(groups[: change.get("count", 3)]))


REFUSED = {
    "width": (
        other_network(second=GroupChoice("conv2", 2, 10)),
        "as group 2 it has 'conv2' of 10 units, where this network has 'conv2' of 5",
    ),
    "name": (
        other_network(second=GroupChoice("layer2", 2, 5)),
        "as group 2 it has 'layer2' of 5 units, where this network has 'conv2' of 5",
    ),
    "fewer": (
        other_network(count=1),
        "as group 2 it has none, where this network has 'conv2' of 5",
    ),
    "more": (
        other_network(extra=GroupChoice("conv3", 1, 1)),
        "as group 3 it has 'conv3' of 1 units, where this network has none",
    ),
}


@pytest.mark.parametrize("difference", REFUSED)
def test_a_policy_of_another_network_is_refused_by_the_first_difference(difference: str) -> None:
    policy, message = REFUSED[difference]
    with pytest.raises(PolicyError, match=message) as raised:
        prune(tiny("residual"), policy, images())
    assert str(raised.value).startswith("the policy is for another network")
    assert "\n" not in str(raised.value)


def test_a_policy_of_this_network_is_not_refused() -> None:
    assert prune(tiny("residual"), other_network(), images()).conv1.out_channels == 3


def test_an_unknown_criterion_is_refused() -> None:
    policy = Policy(other_network().groups, criterion="L1")
    with pytest.raises(LookupError, match="unknown criterion 'L1'; did you mean 'l1'"):
        prune(tiny("residual"), policy, images())


def simple(between: Any, channels: int = 5) -> nn.Module:
    """A convolution of 5 channels, `between`, and a convolution that reads the result."""

    def forward(net: Any, inputs: Tensor) -> Tensor:
        return net.linear(averaged(torch.relu(net.reader(between(net.maker(inputs), inputs)))))

    reader, linear = nn.Conv2d(channels, 6, 3), nn.Linear(6, 4)
    return Wired(forward, maker=nn.Conv2d(3, 5, 3, padding=1), reader=reader, linear=linear)


WEIGHTS = torch.arange(1.0, 6).view(5, 1, 1)
FAILS = "its forward pass fails then"
DIFFERS = "its outputs then differ at reader from those with the same channels at zero"
UNCUTTABLE = {
    "fixed_view": (lambda made, _: made.view(-1, 5, 8, 8), 5, FAILS),
    "fixed_scale": (lambda made, _: made * WEIGHTS, 5, FAILS),
    "so_far": (lambda made, _: made.logcumsumexp(1), 5, DIFFERS),
}


@pytest.mark.parametrize("name", UNCUTTABLE)
def test_code_that_cannot_follow_a_cut_keeps_its_channels(name: str) -> None:
    between, channels, reason = UNCUTTABLE[name]
    graph = trace(simple(between, channels), images())
    assert [group.name for group in graph.groups] == ["reader"]
    fixed = {item.name: item.reason for item in graph.fixed}
    assert fixed["maker"].startswith(reason)


def test_channels_in_reverse_order_are_followed() -> None:
    graph = trace(simple(lambda made, _: made.flip(1)), images())
    assert graph.full == (5, 6)
    (reading,) = (m for m in graph.groups[0].members if m.module == "reader")
    assert reading.indices == ((4,), (3,), (2,), (1,), (0,))


def test_channels_that_nothing_reads_may_go_where_the_others_stay() -> None:
    graph = trace(simple(lambda made, _: made[:, -3:], 3), images())
    assert [(group.name, group.units) for group in graph.groups] == [("maker", 2), ("reader", 6)]
    assert graph.groups[0].members[0].indices == ((0,), (1,))


def with_group(graph: PruningGraph, group: Group) -> PruningGraph:
    """A graph that claims more than was proved."""
    return replace(graph, groups=(group, *graph.groups))


def test_a_cut_that_was_not_proved_is_refused_by_the_group() -> None:
    model = simple(lambda made, _: made.logcumsumexp(1))
    graph = trace(model, images())
    places = tuple((unit,) for unit in range(5))
    members = (Member("maker", "out", places), Member("reader", "in", places))
    wrong = with_group(graph, Group("maker", 5, members, ("maker",)))
    with pytest.raises(SurgeryError, match="the network cannot be cut at 'maker'") as raised:
        check_cut(model, wrong, ((2, 3, 4), (0, 1, 2, 3)), images())
    assert DIFFERS in str(raised.value)
    assert "write its forward pass in terms of the tensors' own shapes" in str(raised.value)


def test_the_same_code_without_a_cut_there_is_fine() -> None:
    model = simple(lambda made, _: made.view(-1, 5, 8, 8))
    graph = trace(model, images())
    kept = [5 if group.name == "maker" else 2 for group in graph.groups]
    assert prune(model, policy_of(graph, kept), images()).reader.out_channels == 2


def test_groups_that_fail_only_together_are_not_blamed_alone() -> None:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        hidden = net.two(net.one(inputs.flatten(1)))
        assert hidden.shape[1] + net.one.out_features > 5, "too narrow"
        return net.linear(hidden)

    layers = {"two": nn.Linear(5, 5), "linear": nn.Linear(5, 4)}
    model = Wired(forward, one=nn.Linear(192, 5), **layers)
    graph = trace(model, images())
    # Which of the two stays whole does not matter: one of them alone is always wide enough.
    assert len(graph.groups) == 1
    reason = next(item.reason for item in graph.fixed if item.name in ("one", "two"))
    assert "too narrow" in reason


def test_outputs_may_be_nested() -> None:
    model = Wired(
        lambda net, inputs: {"logits": (net.inner(inputs), [net.inner(inputs) * 2])},
        inner=tiny("residual"),
    )
    smaller = prune(model, random_policy(trace(model, images()), 0), images())
    assert outputs(smaller, images())["logits"][0].shape == (2, 4)


def test_several_inputs_are_given_as_a_tuple() -> None:
    model = Wired(
        lambda net, left, right: net.linear(averaged(torch.relu(net.one(left) + net.two(right)))),
        one=nn.Conv2d(3, 5, 1),
        two=nn.Conv2d(3, 5, 1),
        linear=nn.Linear(5, 4),
    )
    inputs = (images(seed=0), images(seed=1))
    smaller = prune(model, policy_of(trace(model, inputs), (2,)), inputs)
    assert smaller.two.out_channels == 2
