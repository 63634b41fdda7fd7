"""Modules whose code cannot be followed, declared by their user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import amc
from amc.modules import kinds
from amc.pruning import policy_of

WORDS = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(0))


@torch.library.custom_op("amc_tests::linear", mutates_args=())
def opaque_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return nn.functional.linear(x, weight, bias)


@torch.library.custom_op("amc_tests::decay", mutates_args=())
def opaque_decay(x: Tensor, rates: Tensor, gain: Tensor) -> Tensor:
    return x * (-rates.exp()).sum(0) + 1 / gain


@torch.library.custom_op("amc_tests::norm", mutates_args=())
def opaque_norm(x: Tensor, gain: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:], gain)


class FusedLinear(nn.Module):
    def __init__(self, read: int, made: int) -> None:
        super().__init__()
        self.read, self.made = read, made
        self.weight = nn.Parameter(torch.randn(made, read))
        self.bias = nn.Parameter(torch.randn(made))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = opaque_linear(x, self.weight, self.bias)
        assert out.shape[-1] == self.made
        return out


class Decay(nn.Module):
    """Numbers of its own for each channel, along the second axis of one of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rates = nn.Parameter(torch.rand(3, width))
        self.register_buffer("gain", torch.rand(width) + 0.5)
        self.steps = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = opaque_decay(x, self.rates, self.gain)
        return out


class FusedNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = opaque_norm(x, self.gain)
        return out


@pytest.fixture(autouse=True)
def nothing_declared() -> Iterator[None]:
    yield
    kinds.REGISTERED.clear()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(6, 12), Decay(12), FusedNorm(12), FusedLinear(12, 10), nn.ReLU()),
        nn.Linear(10, 4),
    ).eval()


def declared() -> None:
    amc.register(FusedLinear, like=nn.Linear, outputs="made", inputs="read")
    amc.register(Decay, axes={"rates": 1, "gain": 0})
    amc.register(FusedNorm, axes={"gain": 0}, mixes=True)


def test_what_is_not_followed_stays_whole() -> None:
    body = (nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 12), Decay(12), nn.Linear(12, 4))
    graph = amc.trace(nn.Sequential(*body), WORDS)
    assert [group.name for group in graph.groups] == ["0"]
    reasons = {one.name: one.reason for one in graph.fixed}
    assert reasons["2"] == "its channels meet decay, which is not followed"


def test_declared_it_is_cut_as_it_is_masked() -> None:
    declared()
    model = network()
    graph = amc.trace(model, WORDS)
    assert [(group.name, group.units) for group in graph.groups] == [("0", 12), ("3", 10)]
    policy = policy_of(graph, (5, 4))
    small, masked = (amc.prune(model, policy, WORDS, masked=m) for m in (False, True))
    torch.testing.assert_close(small(WORDS), masked(WORDS))
    assert (small[1].rates.shape, small[1].gain.shape, small[1].steps.shape) == ((3, 5), (5,), (2,))
    assert (small[3].read, small[3].made) == (5, 4)
    for kept, network_ in (((12, 10), model), ((5, 4), small)):
        assert amc.COSTS["params"](graph)(kept) == sum(p.numel() for p in network_.parameters())
        stored = sum(4 * tensor.numel() for tensor in network_.state_dict().values())
        assert amc.COSTS["size"](graph)(kept) == stored


def test_what_is_declared_wrongly_stays_whole() -> None:
    amc.register(FusedLinear, like=nn.Linear, outputs="made", inputs="read")
    amc.register(Decay, axes={"rates": 1, "gain": 0})
    amc.register(FusedNorm, axes={"gain": 0})  # it mixes its channels
    graph = amc.trace(network(), WORDS)
    assert [group.name for group in graph.groups] == ["3"]
    assert "differ at" in next(one.reason for one in graph.fixed if one.name == "0")


class Faster(Decay):
    """A class that inherits from one that is declared."""


def test_heirs_count_and_the_last_word_is_the_nearest() -> None:
    declared()
    assert kinds.kind_of(Faster(4)) == kinds.kind_of(Decay(4))
    amc.register(Faster, like=nn.LayerNorm)
    assert kinds.known_kind(Faster(4)).declared == ()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"module_type": Decay(3)}, TypeError, "is no class of modules"),
        ({"module_type": Decay}, ValueError, "needs either like= "),
        ({"module_type": Decay, "axes": {}}, ValueError, "needs either like= "),
        ({"module_type": Decay, "like": nn.Linear, "axes": {"a": 0}}, ValueError, "needs either"),
        ({"module_type": Decay, "like": nn.MultiheadAttention}, ValueError, "it must be a conv"),
        ({"module_type": Decay, "like": nn.ReLU}, ValueError, "like is ReLU"),
        ({"module_type": Decay, "axes": {"gain": -1}}, ValueError, "axis of gain is counted from"),
        ({"module_type": Decay, "axes": {"gain": 0}, "channels": 2}, ValueError, "channels is 2"),
    ],
)
def test_mistakes_are_told(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        amc.register(**given)


def test_a_parameter_that_is_not_there_is_told() -> None:
    amc.register(Decay, axes={"rates": 1, "gains": 0})
    with pytest.raises(ValueError, match="1, a Decay, has no 'gains'; it has gain, rates, steps"):
        amc.trace(network()[:2], WORDS)
