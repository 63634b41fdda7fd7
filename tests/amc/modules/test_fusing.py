"""Batch norms and activations become part of the layers that they alone read."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import TINY, Wired, images, random_units, randomised, tiny
from torch import Tensor, nn

from amc.devices import bfloat16_is_fast, lay_out
from amc.modules.fusing import CLAMPS, ClampedConv2d, fold_norms, fuse_activations
from amc.surgery import cut
from amc.tracing.build import survey, trace


def outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(inputs)
    return found


def in_half(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return outputs(model, inputs)


def count(model: nn.Module, *kinds: type[nn.Module]) -> int:
    return sum(isinstance(module, kinds) for module in model.modules())


@pytest.mark.parametrize("name", TINY)
def test_folding_changes_no_output(name: str) -> None:
    model = tiny(name)
    wanted = outputs(model, images(4))
    fold_norms(model, trace(model, images()))
    torch.testing.assert_close(outputs(model, images(4)), wanted, atol=1e-5, rtol=1e-5)


def test_folding_the_zoo_removes_every_norm_and_changes_no_output(zoo: Any) -> None:
    units = random_units(zoo.graph.full, seed=0)
    smaller = cut(zoo.model, zoo.graph, units)
    wanted = outputs(smaller, zoo.inputs)
    fold_norms(smaller, zoo.graph)
    assert count(smaller, nn.BatchNorm2d) == 0
    assert (outputs(smaller, zoo.inputs) - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_folding_works_with_and_without_a_bias_scale_and_statistics() -> None:
    model = tiny("unusual")
    fold_norms(model, trace(model, images()))
    # Those without statistics depend on the batch, and stay.
    assert [type(model[n]) for n in (1, 4, 7, 10)] == [
        nn.Identity,
        nn.BatchNorm2d,
        nn.Identity,
        nn.BatchNorm2d,
    ]
    assert model[0].bias is not None


def test_a_norm_that_does_not_alone_read_its_layer_stays() -> None:
    model = Wired(
        lambda net, inputs: net.linear(
            (net.norm(net.conv(inputs)) + net.conv(inputs)).mean((2, 3))
        ),
        conv=nn.Conv2d(3, 5, 3),
        norm=nn.BatchNorm2d(5),
        linear=nn.Linear(5, 4),
    )
    fold_norms(model, trace(model, images()))
    assert count(model, nn.BatchNorm2d) == 1


def test_the_zoo_loses_its_norms_and_activations_and_computes_the_same_in_either_type(
    zoo: Any,
) -> None:
    apart = cut(zoo.model, zoo.graph, random_units(zoo.graph.full, seed=0))
    graph = fold_norms(apart, zoo.graph)
    fused = copy.deepcopy(apart)
    fuse_activations(fused, graph)
    assert count(fused, ClampedConv2d) > 0 or not count(apart, *CLAMPS)
    assert count(fused, *CLAMPS, ClampedConv2d) == count(apart, *CLAMPS)
    assert torch.equal(outputs(fused, zoo.inputs), outputs(apart, zoo.inputs))
    if bfloat16_is_fast():
        for model in (fused, apart):
            lay_out(model, torch.channels_last)
        inputs = zoo.inputs.to(memory_format=torch.channels_last)
        assert torch.equal(in_half(fused, inputs), in_half(apart, inputs))


@pytest.mark.skipif(not bfloat16_is_fast(), reason="no bfloat16 in hardware")
@given(
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
    kind=st.sampled_from([nn.ReLU, nn.ReLU6]),
)
def test_any_convolution_with_its_activation_is_the_same_to_the_last_bit(
    channels: tuple[int, int],
    groups: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    bias: bool,
    kind: type[nn.Module],
) -> None:
    inputs, outs = (groups * number for number in channels)
    conv = nn.Conv2d(
        inputs, outs, kernel, stride, padding, dilation=dilation, groups=groups, bias=bias
    )
    head = (nn.Conv2d(3, inputs, 1), conv, kind(), nn.Conv2d(outs, 2, 1), nn.Flatten())
    model = randomised(nn.Sequential(*head)).eval()
    for parameter in model[1].parameters():
        parameter.data *= 4  # so that 6 cuts some off
    wanted = in_half(model, images(3))
    fuse_activations(model, survey(model, images()))
    assert type(model[1]) is ClampedConv2d
    assert torch.equal(in_half(model, images(3)), wanted)


def conv_and(*rest: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 5, 3), *rest, nn.Conv2d(5, 4, 6), nn.Flatten())


def hooked(model: Any, at: int) -> nn.Module:
    model[at].register_forward_hook(lambda module, args, output: output + 1)
    return model


def with_own_forward(model: Any, at: int) -> nn.Module:
    before = model[at].forward
    model[at].forward = lambda inputs: before(inputs) - 0.5
    return model


class Activating(nn.Conv2d):
    """A layer that runs an activation inside, and reads its input once more."""

    def __init__(self) -> None:
        super().__init__(3, 3, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        return input + super().forward(self.act(input))


def by_keyword(net: Any, inputs: Tensor) -> Tensor:
    made = net.conv(inputs)
    return net.last(net.relu(input=made) + made).flatten(1)


def by_keyword_and_without(net: Any, inputs: Tensor) -> Tensor:
    made = net.relu(net.conv(inputs)) + net.relu(input=-inputs[:, :, 1:-1, 1:-1])
    return net.last(made).flatten(1)


def conv_twice(net: Any, inputs: Tensor) -> Tensor:
    made = net.relu(net.conv(inputs)) + net.conv(-inputs)
    return net.last(made).flatten(1)


def twice(net: Any, inputs: Tensor) -> Tensor:
    return net.last(net.relu(net.conv(inputs)) + net.relu(-inputs[:, :, 1:-1, 1:-1])).flatten(1)


def beside(net: Any, inputs: Tensor) -> Tensor:
    made = net.conv(inputs)
    return net.last(net.relu(made) + made).flatten(1)


def wired(forward: Callable[[Any, Tensor], Tensor], *, inplace: bool = False) -> nn.Module:
    convs = {"conv": nn.Conv2d(3, 3, 3), "last": nn.Conv2d(3, 4, 6)}
    return Wired(forward, relu=nn.ReLU(inplace), **convs)


STAYING: dict[str, Callable[[], nn.Module]] = {
    "of another kind": lambda: conv_and(nn.Hardswish()),
    "with a hook": lambda: hooked(conv_and(nn.ReLU()), 1),
    "behind a convolution with a hook": lambda: hooked(conv_and(nn.ReLU()), 0),
    "with a forward of its own": lambda: with_own_forward(conv_and(nn.ReLU()), 1),
    "behind a forward of its own": lambda: with_own_forward(conv_and(nn.ReLU()), 0),
    "padded by reflection": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.Conv2d(4, 2, 8)
    ),
    "padded by name": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same"), nn.ReLU(), nn.Conv2d(4, 2, 8)
    ),
    "inside of a layer": lambda: nn.Sequential(
        nn.Conv2d(3, 3, 3), Activating(), nn.Conv2d(3, 2, 6)
    ),
    "run twice": lambda: wired(twice),
    "run twice, once by keyword": lambda: wired(by_keyword_and_without),
    "behind a convolution that runs twice": lambda: wired(conv_twice),
    "not the only reader": lambda: wired(beside),
    "not the only reader, by keyword": lambda: wired(by_keyword),
}


@pytest.mark.parametrize("name", STAYING)
def test_an_activation_stays_an_operation_of_its_own(name: str) -> None:
    model = randomised(STAYING[name]()).eval()
    wanted = outputs(model, images(4))
    graph = survey(model, images())
    fuse_activations(model, graph)
    assert count(model, ClampedConv2d) == 0
    for overwriting in graph.overwriting:
        model.get_submodule(overwriting).inplace = True  # type: ignore[assignment]
    assert torch.equal(outputs(model, images(4)), wanted)


class NormAndActivation(nn.BatchNorm2d):
    """As packages have it: the activation belongs to the norm."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.relu(super().forward(input))


class Standardised(nn.Conv2d):
    """Weights are standardised in each forward pass."""

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(input, weight, self.bias)


def aliased() -> nn.Module:
    conv, norm, relu = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU()
    body = nn.Sequential(conv, norm, relu, nn.Conv2d(5, 4, 6), nn.Flatten())
    return Wired(lambda net, inputs: net.body(inputs), conv=conv, norm=norm, relu=relu, body=body)


UNUSUAL: dict[str, Callable[[], nn.Module]] = {
    "norm with an activation": lambda: conv_and(NormAndActivation(5)),
    "norm with a hook": lambda: hooked(conv_and(nn.BatchNorm2d(5)), 1),
    "norm behind a hook": lambda: hooked(conv_and(nn.BatchNorm2d(5)), 0),
    "norm behind computed weights": lambda: nn.Sequential(
        Standardised(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 4, 6), nn.Flatten()
    ),
    "two names for all": aliased,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_networks_compute_the_same(name: str) -> None:
    model = randomised(UNUSUAL[name]()).eval()
    wanted = outputs(model, images(4))
    fuse_activations(model, fold_norms(model, survey(model, images())))
    assert count(model, nn.BatchNorm2d) == (name != "two names for all")
    torch.testing.assert_close(outputs(model, images(4)), wanted, atol=1e-5, rtol=1e-5)


def test_an_activation_that_overwrites_its_input_is_fused_although_more_is_read_of_it() -> None:
    model: Any = conv_and(nn.ReLU(inplace=True), nn.Dropout())
    model = randomised(model).eval()
    wanted = outputs(model, images(4))
    fuse_activations(model, survey(model, images()))
    assert isinstance(model[0], ClampedConv2d)
    assert torch.equal(outputs(model, images(4)), wanted)


def before_it_overwrites(net: Any, inputs: Tensor) -> Tensor:
    made = net.conv(inputs)
    kept = made * 2
    return net.last(net.relu(made) + kept).flatten(1)


def test_an_activation_that_overwrites_what_was_read_before_stays() -> None:
    model = randomised(wired(before_it_overwrites, inplace=True)).eval()
    wanted = outputs(model, images(4))
    fuse_activations(model, survey(model, images()))
    assert count(model, ClampedConv2d) == 0
    assert torch.equal(outputs(model, images(4)), wanted)
