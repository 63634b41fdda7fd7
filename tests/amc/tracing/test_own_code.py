"""Layers that a network's own code computes: norms, attention over channels, weights, recurrence.

Each is pruned at random and has to equal the masked network, and PyTorch's own counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_networks import Wired
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.costs import Macs, Params
from amc.criteria import scores
from amc.graph import PruningGraph
from amc.modules.inputs import Inputs, call, tensors
from amc.surgery import check_cut, cut, fault, mask
from amc.tasks import Samples
from amc.tracing.tracer import trace_channels
from experiments.studies.architectures.counting import counted_macs


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


PICTURES = noise(2, 3, 9, 9)
WORDS = torch.randint(30, (2, 7), generator=torch.Generator().manual_seed(0))


class OwnLayerNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(channels)), nn.Parameter(noise(channels))

    def forward(self, given: Tensor) -> Tensor:
        apart = given - given.mean(1, keepdim=True)
        length = (apart.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()
        return self.weight[:, None, None] * apart / length + self.bias[:, None, None]


class ByName(nn.Module):
    """A layer norm of one's own around PyTorch's function, for channels in the last place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(channels)), nn.Parameter(noise(channels))

    def forward(self, given: Tensor) -> Tensor:
        last = given.permute(0, 2, 3, 1)
        made = F.layer_norm(last, (last.shape[-1],), self.weight, self.bias)
        return made.permute(0, 3, 1, 2)


class Response(nn.Module):
    """ConvNeXt V2's global response normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(noise(1, channels, 1, 1))

    def forward(self, given: Tensor) -> Tensor:
        size = given.norm(dim=(2, 3), keepdim=True)
        return given + self.gain * given * size / (size.mean(1, keepdim=True) + 1e-6)


class Efficient(nn.Module):
    """ECA: a convolution across the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        gate = self.conv(given.mean((2, 3)).unsqueeze(1)).squeeze(1)
        return given * gate.sigmoid()[:, :, None, None]


class Spatial(nn.Module):
    """CBAM's second half: mean and maximum over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, given: Tensor) -> Tensor:
        seen = torch.cat([given.mean(1, keepdim=True), given.amax(1, keepdim=True)], 1)
        return given * self.conv(seen).sigmoid()


class Shares(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return given * given.mean((2, 3)).softmax(1)[:, :, None, None]


class EqualConv(nn.Module):
    def __init__(self, read: int, made: int, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(noise(made, read // groups, 3, 3))
        self.bias, self.scale, self.groups = nn.Parameter(noise(made)), read**-0.5, groups

    def forward(self, given: Tensor) -> Tensor:
        weight = self.weight * self.scale
        return F.conv2d(given, weight, self.bias, padding=1, groups=self.groups)


class Standardised(nn.Conv2d):
    """As BiT's and, with a gain, NFNet's."""

    def __init__(self, read: int, made: int, *, gain: bool, groups: int = 1) -> None:
        super().__init__(read, made, 3, padding=1, groups=groups)
        self.gain = nn.Parameter(torch.rand(made, 1, 1, 1)) if gain else None

    def forward(self, given: Tensor) -> Tensor:
        rows = self.weight.reshape(1, self.out_channels, -1)
        gain = None if self.gain is None else self.gain.view(-1)
        weight = F.batch_norm(rows, None, None, gain, training=True, momentum=0.0, eps=1e-6)
        weight = weight.reshape_as(self.weight)
        return F.conv2d(given, weight, self.bias, padding=1, groups=self.groups)


def between(middle: nn.Module, read: int = 6) -> nn.Module:
    """What stands between two convolutions."""
    first, last = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(read, 5, 1)
    return nn.Sequential(first, middle, nn.ReLU(), last, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Model(nn.Module):
    """A language model around a recurrent layer."""

    def __init__(self, recurrent: nn.Module, made: int) -> None:
        super().__init__()
        self.words, self.recurrent = nn.Embedding(30, 8), recurrent
        self.last = nn.Linear(made, 30)

    def forward(self, words: Tensor) -> Tensor:
        made: Tensor = self.last(self.recurrent(self.words(words))[0])
        return made


class Cells(nn.Module):
    """A loop of a cell that begins with zeros of its own width."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = 6
        self.words, self.cell, self.last = nn.Embedding(30, 8), nn.GRUCell(8, 6), nn.Linear(6, 4)

    def forward(self, words: Tensor) -> Tensor:
        state = torch.zeros(len(words), self.hidden)
        for column in words.unbind(1):
            state = self.cell(self.words(column), state)
        made: Tensor = self.last(state)
        return made


def lstm(**options: Any) -> nn.Module:
    return nn.LSTM(8, 6, batch_first=True, **options)


def eegnet() -> nn.Module:
    """A grouped convolution that makes two channels of each."""
    several = nn.Conv2d(6, 12, 3, padding=1, groups=6)
    return between(nn.Sequential(several, nn.BatchNorm2d(12)), 12)


CASES: dict[str, tuple[Callable[[], nn.Module], Inputs, dict[str, int]]] = {
    "own layer norm": (lambda: between(OwnLayerNorm(6)), PICTURES, {"0": 6}),
    "layer norm by function": (lambda: between(ByName(6)), PICTURES, {"0": 6}),
    "global response": (lambda: between(Response(6)), PICTURES, {"0": 6}),
    "across channels": (lambda: between(Efficient()), PICTURES, {"0": 6}),
    "mean and maximum": (lambda: between(Spatial()), PICTURES, {"0": 6}),
    "softmax": (lambda: between(Shares()), PICTURES, {"0": 6}),
    "own convolution": (lambda: between(EqualConv(6, 8), 8), PICTURES, {"0": 6, "1": 8}),
    "own depthwise": (lambda: between(EqualConv(6, 6, 6)), PICTURES, {"0": 6}),
    "standardised": (
        lambda: between(Standardised(6, 8, gain=False), 8),
        PICTURES,
        {"0": 6, "1": 8},
    ),
    "standardised, gain": (
        lambda: between(Standardised(6, 8, gain=True), 8),
        PICTURES,
        {"0": 6, "1": 8},
    ),
    "standardised, groups": (
        lambda: between(Standardised(6, 8, gain=True, groups=2), 8),
        PICTURES,
        {"0": 3, "1": 4},
    ),
    "groups of a norm": (lambda: between(nn.GroupNorm(3, 6)), PICTURES, {"0": 3}),
    "depth multiplier": (eegnet, PICTURES, {"0": 6}),
    "LSTM": (lambda: Model(lstm(), 6), WORDS, {"words": 8, "recurrent": 6}),
    "LSTM, both ways": (
        lambda: Model(lstm(bidirectional=True, num_layers=2), 12),
        WORDS,
        {"words": 8, "recurrent": 6},
    ),
    "LSTM, projected": (
        lambda: Model(lstm(proj_size=4, num_layers=2), 4),
        WORDS,
        {"words": 8},
    ),
    "GRU": (
        lambda: Model(nn.GRU(8, 6, batch_first=True), 6),
        WORDS,
        {"words": 8, "recurrent": 6},
    ),
    "RNN": (
        lambda: Model(nn.RNN(8, 6, batch_first=True), 6),
        WORDS,
        {"words": 8, "recurrent": 6},
    ),
    "cells": (Cells, WORDS, {"words": 8, "cell": 6}),
}


def cuts(graph: PruningGraph, seed: int) -> tuple[tuple[int, ...], ...]:
    chance = torch.Generator().manual_seed(seed)
    drawn = (
        torch.randperm(group.units, generator=chance)[: 1 + (seed + at) % (group.units - 1)]
        for at, group in enumerate(graph.groups)
    )
    return tuple(tuple(sorted(units.tolist())) for units in drawn)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", CASES)
def test_a_cut_network_is_the_masked_one_and_its_costs_are_those_of_pytorch(name: str) -> None:
    build, inputs, units = CASES[name]
    torch.manual_seed(1)
    model = build().eval()
    graph = amc.trace(model, inputs)
    assert {group.name: group.units for group in graph.groups} == units
    assert Macs(graph)(graph.full) == counted_macs(model, inputs)
    for seed in range(4):
        kept = cuts(graph, seed)
        small, masked = cut(model, graph, kept), mask(model, graph, kept)
        for one, other in zip(made(small, inputs), made(masked, inputs), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        counts = [len(staying) for staying in kept]
        assert Params(graph)(counts) == sum(own.numel() for own in small.parameters())
        assert Macs(graph)(counts) == counted_macs(small, inputs)
        assert misnumbered(small) == []


def misnumbered(model: nn.Module) -> list[str]:
    """Convolutions whose own numbers are not those of their weights."""
    convolutions = ((name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d))
    return [
        name
        for name, m in convolutions
        if m.weight.shape[:2] != (m.out_channels, m.in_channels // m.groups)
    ]


def made(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    with torch.no_grad():
        return tensors(call(model, inputs))


def test_a_masked_network_leaves_the_original_without_hooks() -> None:
    model = between(OwnLayerNorm(6)).eval()
    graph = amc.trace(model, PICTURES)
    before = made(model, PICTURES)[0]
    masked = mask(model, graph, ((0, 2),))
    assert not model._forward_pre_hooks
    assert masked._forward_pre_hooks
    assert torch.equal(made(model, PICTURES)[0], before)
    assert torch.equal(made(masked, PICTURES)[0], made(masked, PICTURES)[0])


def test_weights_of_ones_own_are_ranked_by_their_size() -> None:
    model = nn.Sequential(EqualConv(3, 4), nn.ReLU(), EqualConv(4, 5), nn.Flatten()).eval()
    model = nn.Sequential(model[0], model[1], model[2], nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(*model, nn.Linear(5, 3)).eval()
    with torch.no_grad():
        model[0].weight[2] *= 10
        model[2].weight[3] *= 10
    graph = amc.trace(model, PICTURES)
    first, second = scores("l2", model, graph, None, 0)
    assert int(first.argmax()) == 2
    assert int(second.argmax()) == 3


def test_weights_of_ones_own_are_ranked_by_gradients() -> None:
    layers = (EqualConv(3, 4), nn.ReLU(), EqualConv(4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(*layers, nn.Linear(5, 3)).eval()
    with torch.no_grad():
        model[2].weight[:, 1] = 0  # Nothing reads it, so that the loss does not change.
    graph = amc.trace(model, PICTURES)
    samples = Samples(PICTURES, torch.tensor([0, 2]))
    first, _ = scores("taylor", model, graph, samples, 0)
    assert float(first[1]) == 0
    assert (first[[0, 2, 3]] > 0).all()


class Cached(nn.Module):
    """Attention that keeps what it made of its biases, as LeViT's does in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.attention_bias_cache = 2, dict[str, Tensor]()
        self.biases = nn.Parameter(noise(2, 5))
        self.qkv, self.out = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, given: Tensor) -> Tensor:
        if "cpu" not in self.attention_bias_cache:
            self.attention_bias_cache["cpu"] = self.biases[:, torch.arange(25).view(5, 5) % 5]
        shape = (*given.shape[:2], 3, self.num_heads, 6)
        query, key, value = self.qkv(given).reshape(shape).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-1, -2) + self.attention_bias_cache["cpu"]).softmax(-1)
        made: Tensor = self.out((weights @ value).transpose(1, 2).flatten(2))
        return made


def test_what_a_network_keeps_of_its_parameters_is_made_anew_after_a_cut() -> None:
    model = nn.Sequential(Cached(), nn.Linear(12, 3)).eval()
    made(model, noise(2, 5, 12))
    graph = amc.trace(model, noise(2, 5, 12))
    assert {group.name: group.units for group in graph.groups} == {"0.qkv": 2, "0.out": 12}
    small = cut(model, graph, ((1,), tuple(range(12))))
    assert made(small, noise(2, 5, 12))[0].isfinite().all()
    assert model[0].attention_bias_cache["cpu"].shape == (2, 5, 5)


def test_a_number_in_a_shape_changes_with_the_width() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        state = net.first(pictures) * net.scale.view(net.shape)
        found: Tensor = net.head(state).mean((2, 3))
        return found

    layers = {"first": nn.Conv2d(3, 6, 3), "head": nn.Conv2d(6, 4, 1)}
    model = Wired(forward, **layers).eval()
    model.scale, model.shape = nn.Parameter(torch.rand(6)), (6, 1, 1)
    graph = amc.trace(model, PICTURES)
    (group,) = graph.groups
    assert [(item.name, item.per_unit) for item in group.attributes] == [("shape[0]", 1)]
    assert cut(model, graph, ((0, 1, 4),)).shape == (3, 1, 1)


class Positions(nn.Module):
    """Heads whose queries and keys have a norm of their own, one for all heads, as in Qwen 3."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(12, 36), nn.Linear(12, 12)
        self.norm = nn.RMSNorm(4)

    def forward(self, given: Tensor) -> Tensor:
        shape = (*given.shape[:2], 3, -1, 4)
        query, key, value = self.qkv(given).reshape(shape).permute(2, 0, 3, 1, 4)
        weights = (self.norm(query) @ self.norm(key).transpose(-1, -2)).softmax(-1)
        made: Tensor = self.out((weights @ value).transpose(1, 2).flatten(2))
        return made


def test_whole_heads_go_where_one_norm_serves_them_all() -> None:
    model = nn.Sequential(Positions(), nn.Linear(12, 3)).eval()
    graph = amc.trace(model, noise(2, 5, 12))
    assert {group.name: group.units for group in graph.groups} == {"0.qkv": 3, "0.out": 12}
    small, masked = (make(model, graph, ((0, 2), (1, 5))) for make in (cut, mask))
    torch.testing.assert_close(*(made(net, noise(2, 5, 12))[0] for net in (small, masked)))


class Distances(nn.Module):
    """Scores by distances and by a kernel of one's own, which nobody counts."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        made = self.last(self.first(x).relu())
        near = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        return torch.cat([made, near], -1)


def test_what_nobody_counts_is_named_with_its_share() -> None:
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    graph = amc.trace(Distances(), x)
    ((name, share),) = graph.uncounted
    # 16 distances; beside them 32, 32 and 12 numbers of the layers, and 28 that are joined.
    assert (name, share) == ("_cdist_forward", 16 / 120)
    plain = amc.trace(nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3)), x)
    assert plain.uncounted == ()


class Widths(nn.Module):
    """Returns a tensor as long as a layer is wide, which follows from none of its numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        wide = self.first(x).relu()
        made = self.last(wide).relu()
        return self.head(made), made.new_zeros(wide.shape[-1])


def test_outputs_of_another_shape_are_no_rounding() -> None:
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    graph = amc.trace(Widths(), x)
    assert [group.name for group in graph.groups] == ["last"]
    reasons = {one.name: one.reason for one in graph.fixed}
    assert reasons["first"].startswith("its outputs then differ")


def test_where_code_selects_any_difference_may_be_rounding() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        features = net.one(pictures)
        if features.dtype == torch.float32:  # what another order among boxes would do, in 32 bits
            features = features * features.shape[1]
        return net.two(features)

    net = Wired(forward, one=nn.Conv2d(3, 8, 1), two=nn.Conv2d(8, 2, 1)).eval()
    graph = amc.trace(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)), noise(1, 3, 4, 4))
    names = {"0": "one", "1": "two"}
    (group,) = graph.groups
    members = tuple(replace(one, module=names[one.module]) for one in group.members)
    group = replace(group, name="one", members=members, layers=("one",))
    layers = tuple(replace(layer, name=names[layer.name]) for layer in graph.layers)
    own = PruningGraph(layers, (group,))
    units = (tuple(range(3)),)
    found = fault(net, own, units, noise(1, 3, 4, 4))
    assert found is not None
    assert "its outputs then differ" in found.reason
    assert fault(net, own, units, noise(1, 3, 4, 4), chooses=True) is None
    check_cut(net, own, units, noise(1, 3, 4, 4))


def test_sorting_and_selecting_is_seen() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        rows = net.one(pictures).flatten(2).transpose(1, 2)
        return rows.gather(1, rows[..., :1].topk(3, 1).indices.expand(-1, -1, 4))

    net = Wired(forward, one=nn.Conv2d(3, 4, 1))
    assert trace_channels(net, noise(1, 3, 4, 4), {}).chooses
    assert not trace_channels(nn.Conv2d(3, 4, 1), noise(1, 3, 4, 4), {}).chooses


class Hiding(nn.Module):
    """Puts an embedding of its own in place of hidden places, in training alone (SpecAugment)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 6), nn.Linear(6, 4)
        self.hidden = nn.Parameter(noise(6))

    def forward(self, inputs: Tensor) -> Tensor:
        found = self.first(inputs)
        if self.training:
            found[:, ::2][found[:, ::2, 0] > 0] = self.hidden
        made: Tensor = self.last(torch.relu(found))
        return made


def test_a_parameter_that_is_read_in_training_alone_is_cut_as_well() -> None:
    model, inputs = Hiding().eval(), noise(3, 5, 8)
    graph = amc.trace(model, inputs)
    assert [group.units for group in graph.groups] == [6]
    small = cut(model, graph, ((0, 2, 5),)).train()
    assert torch.equal(small.get_parameter("hidden"), model.hidden[[0, 2, 5]])
    assert small(inputs).shape == (3, 5, 4)


@pytest.mark.parametrize("chosen", [2, torch.tensor([0, 2])])
def test_what_is_written_into_channels_is_not_followed(chosen: Any) -> None:
    class Writing(Hiding):
        def forward(self, inputs: Tensor) -> Tensor:
            found = self.first(inputs).clone()
            found[..., chosen] = self.hidden[0]
            made: Tensor = self.last(torch.relu(found))
            return made

    with pytest.raises(amc.GraphError):
        amc.trace(Writing().eval(), noise(3, 5, 8))
