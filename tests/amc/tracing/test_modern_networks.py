"""What modern networks do: parameters of their own, shared and computed weights, wrappers, lists.

Each is pruned as a user would and looked at as a user would; the small networks stand for reports
of users of other tools.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_networks import Wired
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, weight_norm

import amc
from amc.costs import Macs, Params, Size
from amc.graph import PruningGraph
from amc.modules.inputs import Inputs, call, tensors
from amc.pruning import policy_of
from amc.surgery import cut, mask
from experiments.studies.architectures.counting import counted_macs


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def block(read: int, made: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(read, made, kernel, padding=kernel // 2), nn.BatchNorm2d(made), nn.ReLU()
    )


class Head(nn.Module):
    def __init__(self, read: int) -> None:
        super().__init__()
        self.fc = nn.Linear(read, 5)

    def forward(self, pictures: Tensor) -> Tensor:
        made: Tensor = self.fc(pictures.mean((2, 3)))
        return made


class Frozen(nn.Module):
    """A batch norm whose numbers are all buffers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "running_var"):
            self.register_buffer(name, torch.rand(channels) + 0.5)
        for name in ("bias", "running_mean"):
            self.register_buffer(name, torch.randn(channels))

    def forward(self, given: Tensor) -> Tensor:
        shape = (1, -1, 1, 1)
        scale = self.weight.reshape(shape) * (self.running_var.reshape(shape) + 1e-5).rsqrt()
        return given * scale + self.bias.reshape(shape) - self.running_mean.reshape(shape) * scale


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.bias = nn.Parameter(torch.randn(3 * width))
        self.gamma = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, given: Tensor) -> Tensor:
        # The weight is handed to a function; the layer itself is never called.
        parts = F.linear(self.norm(given), self.qkv.weight, self.bias)
        shape = (*given.shape[:2], 3, self.heads, self.each)
        query, key, value = parts.reshape(shape).permute(2, 0, 3, 1, 4)
        made = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return given + self.gamma * self.out(made)


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 17, 16))
        self.blocks = nn.Sequential(Attention(16, 4), Attention(16, 4))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, pictures: Tensor) -> Tensor:
        patches = self.patch(pictures).flatten(2).transpose(1, 2)
        state = torch.cat([self.token.expand(len(patches), -1, -1), patches], 1) + self.places
        made: Tensor = self.head(self.norm(self.blocks(state))[:, 0])
        return made


class Tied(nn.Module):
    """The embedding is the output layer too, with a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.inner = nn.Embedding(20, 12), nn.Linear(12, 12)
        self.last = nn.Linear(12, 20)
        self.last.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        state = self.words(words)
        made: Tensor = self.last(state + F.gelu(self.inner(state)))
        return made


class Split(nn.Module):
    """Divides its channels by a number of its own; what makes them lies one level deeper."""

    def __init__(self) -> None:
        super().__init__()
        self.c = 6
        self.enter, self.inner = block(3, 12, 1), block(6, 6)
        self.join, self.head = block(18, 8, 1), Head(8)

    def forward(self, pictures: Tensor) -> Tensor:
        parts = list(self.enter(pictures).split((self.c, self.c), 1))
        parts.append(self.inner(parts[-1]))
        made: Tensor = self.head(self.join(torch.cat(parts, 1)))
        return made


class Padded(nn.Module):
    """A text classifier on PyTorch's own encoder, with a padding mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(40, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 4)

    def forward(self, words: Tensor) -> Tensor:
        gone = words == 0
        state = self.encoder(self.words(words), src_key_padding_mask=gone)
        made: Tensor = self.head(state.masked_fill(gone[..., None], 0).sum(1))
        return made


def padded_words() -> Tensor:
    words = torch.randint(1, 40, (3, 6), generator=torch.Generator().manual_seed(0))
    words[0, 4:] = 0
    return words


class Rooted(nn.Module):
    """A parameter that is positive, as the code takes its logarithm."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(6, 1, 1) + 0.5)

    def forward(self, given: Tensor) -> Tensor:
        return given * self.scale.log() + self.scale.sqrt()


class Random(nn.Module):
    """Adds noise of the width of what it is given."""

    def forward(self, given: Tensor) -> Tensor:
        return given + torch.randn_like(given[:, :1])


class Stacked(nn.Module):
    """Takes a list of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = block(3, 8), block(8, 8), Head(8)

    def forward(self, pictures: list[Tensor]) -> Tensor:
        made: Tensor = self.head(self.second(self.first(torch.stack(pictures))))
        return made


class Cached(nn.Module):
    """Keeps what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = block(3, 8), block(8, 8), Head(8)
        self.seen: Any = None

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen = self.first(pictures)
        made: Tensor = self.head(self.second(self.seen))
        return made


def cached() -> nn.Module:
    net = Cached()
    net(noise(2, 3, 6, 6)).sum().backward()  # now it keeps an activation with its history
    net.zero_grad()
    return net


def normed(norm: Callable[..., Any]) -> nn.Module:
    return nn.Sequential(
        *(norm(nn.Conv1d(4, 8, 3, padding=1)), nn.ReLU(), norm(nn.ConvTranspose1d(8, 6, 3))),
        *(nn.ReLU(), nn.Conv1d(6, 3, 1)),
    )


def in_series(*between: nn.Module) -> nn.Module:
    return nn.Sequential(block(3, 6), *between, nn.Conv2d(6, 7, 1), nn.ReLU(), Head(7))


PICTURES = noise(2, 3, 16, 16)
CASES: dict[str, tuple[Callable[[], nn.Module], Inputs, set[str]]] = {
    "buffers alone": (lambda: in_series(Frozen(6)), PICTURES, {"0.0", "2"}),
    "vision transformer": (*(ViT, PICTURES, {"patch", "blocks.0.qkv", "blocks.1.qkv"}),),
    "tied embedding": (Tied, torch.randint(20, (2, 7)), {"words"}),
    "split by an outer number": (Split, PICTURES, {"enter.0", "join.0"}),
    "padding mask": (Padded, padded_words(), {"encoder.layers.0.self_attn"}),
    "zero padding, then pooling": (
        lambda: in_series(nn.ZeroPad2d(1), nn.MaxPool2d(2), nn.ConstantPad2d(1, 0.5)),
        PICTURES,
        {"0.0", "4"},
    ),
    "parameter under a logarithm": (lambda: in_series(Rooted()), PICTURES, {"0.0", "2"}),
    "random forward": (lambda: in_series(Random()), PICTURES, {"0.0", "2"}),
    "list of pictures": (Stacked, ([noise(3, 8, 8)],), {"first.0", "second.0"}),
    "a picture without samples": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3)),
        noise(3, 9, 9),
        {"0"},
    ),
    "kept activations": (cached, noise(2, 3, 6, 6), {"first.0", "second.0"}),
    "weight norm": (lambda: normed(parametrizations.weight_norm), noise(2, 4, 9), {"0", "2"}),
    "older weight norm": (lambda: normed(weight_norm), noise(2, 4, 9), {"0", "2"}),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Inputs, set[str]]:
    torch.manual_seed(0)
    build, inputs, made = CASES[request.param]
    return build().eval(), inputs, made


def outputs(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    torch.manual_seed(1)
    with torch.no_grad():
        return [tensor.clone() for tensor in tensors(call(model, inputs))]


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]


def test_it_is_pruned_as_a_user_would(
    case: tuple[nn.Module, Inputs, set[str]], tmp_path: Path
) -> None:
    model, inputs, made = case
    before, state = outputs(model, inputs), copy.deepcopy(dict(model.state_dict()))
    graph = amc.trace(model, inputs)
    assert {group.layers[0] for group in graph.groups} >= made
    policy = amc.uniform_policy(graph, amc.Budget("macs", 0.7))
    small = amc.prune(model, policy, inputs)
    masked = amc.prune(model, policy, inputs, masked=True)
    for one, other in zip(outputs(small, inputs), outputs(masked, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
    alone = isinstance(inputs, Tensor) and inputs.dim() == 3 and inputs.is_floating_point()
    samples = 1 if alone and isinstance(model[0], nn.Conv2d) else 0
    assert Macs(graph)(graph.full) == counted_macs(model, inputs, samples)
    assert Macs(graph)(policy.kept) == counted_macs(small, inputs, samples)
    assert Params(graph)(policy.kept) == sum(one.numel() for one in small.parameters())
    assert Size(graph)(graph.full) > Size(graph)(policy.kept)
    amc.save_pruned(small, policy, tmp_path / "small.safetensors")
    again = amc.load_pruned(model, inputs, tmp_path / "small.safetensors")
    for one, other in zip(outputs(again, inputs), outputs(small, inputs), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in state.items())
    for one, other in zip(outputs(model, inputs), before, strict=True):
        assert torch.equal(one, other)


def test_recurrent_layers_and_weights_of_ones_own_are_counted() -> None:
    class Own(nn.Module):
        def __init__(self, read: int, made: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(made, read, 3, 3))

        def forward(self, given: Tensor) -> Tensor:
            return F.conv2d(given, self.weight * 0.1, padding=1)

    def forward(net: Any, pictures: Tensor) -> Tensor:
        series = net.last(net.own(net.first(pictures))).flatten(2).transpose(1, 2)
        made: Tensor = net.head(net.lstm(net.linear(series))[0])
        return made

    parts = {"first": block(3, 6), "own": Own(6, 8), "last": block(8, 5)}
    model = Wired(
        *(forward,),
        **parts,
        linear=nn.Linear(5, 7),
        lstm=nn.LSTM(7, 4, num_layers=2, bidirectional=True, batch_first=True),
        head=nn.Linear(8, 3),
    ).eval()
    graph = amc.trace(model, noise(1, 3, 6, 6))
    assert Macs(graph)(graph.full) == counted_macs(model, noise(1, 3, 6, 6))
    # Of the convolution of one's own the inputs go, and its outputs into the next one stay.
    kept = [max(1, units // 2) for units in graph.full]
    smaller = cut(model, graph, tuple(tuple(range(count)) for count in kept))
    assert Macs(graph)(kept) == counted_macs(smaller, noise(1, 3, 6, 6))


def test_a_wrapped_network_has_the_names_of_the_plain_one() -> None:
    plain = nn.Sequential(block(3, 6), Head(6)).eval()
    wrapped = nn.DataParallel(plain)
    graph = amc.trace(wrapped, PICTURES)
    assert graph == amc.trace(plain, PICTURES)
    policy = amc.uniform_policy(graph, amc.Budget("macs", 0.5))
    small = amc.prune(wrapped, policy, PICTURES)
    assert isinstance(small, nn.Sequential)
    assert small.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_decisions_do_not_hang_on_the_type_of_numbers(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    layers = {"first": nn.Conv2d(3, 6, 3), "second": block(6, 6), "head": Head(6)}
    net = Wired(lambda net, x: net.head(net.second(net.first(x))), **layers).eval()
    wide = amc.trace(net, PICTURES)
    half = amc.trace(copy.deepcopy(net).to(kind), PICTURES.to(kind))
    assert half.groups == wide.groups


def test_large_outputs_do_not_hide_what_is_wrong_with_small_ones() -> None:
    def forward(net: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        state = net.first(pictures)
        scores = net.scores(state.logcumsumexp(1))
        return torch.cat([640 * net.boxes(state), scores], 1), scores

    layers = {"first": block(3, 6), "boxes": nn.Conv2d(6, 4, 1), "scores": nn.Conv2d(6, 2, 1)}
    with pytest.raises(amc.GraphError, match="its outputs then differ at scores"):
        amc.trace(Wired(forward, **layers).eval(), PICTURES)


class Scaled(nn.Module):
    """Attention by PyTorch's default scale, which hangs on how many positions a head has."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, given: Tensor) -> Tensor:
        shape = (*given.shape[:2], 3, 2, -1)  # two heads, whatever is left of each
        query, key, value = self.qkv(given).reshape(shape).permute(2, 0, 3, 1, 4)
        made = F.scaled_dot_product_attention(query, key, value)
        return given + 1e-3 * self.out(made.transpose(1, 2).flatten(2))


def test_a_wrong_block_is_seen_however_little_of_it_comes_out_in_the_end() -> None:
    model = nn.Sequential(nn.Linear(6, 12), *(Scaled() for _ in range(3)), nn.Linear(12, 4)).eval()
    graph = amc.trace(model, noise(2, 5, 6))
    assert {group.layers[0] for group in graph.groups} == {"0"}
    reasons = {item.name: item.reason for item in graph.fixed}
    assert "differ at 1.out" in reasons["1.qkv"]


class ByWidth(nn.Module):
    """Attention whose code counts the channels on its input: heads and width lose the same."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.scale = 3, 4**-0.5
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, given: Tensor) -> Tensor:
        batch, places, channels = given.shape
        shape = (batch, places, 3, self.num_heads, channels // self.num_heads)
        query, key, value = self.qkv(given).reshape(shape).permute(2, 0, 3, 1, 4)
        weights = (query * self.scale @ key.transpose(-2, -1)).softmax(-1)
        made = (weights @ value).transpose(1, 2).reshape(batch, places, channels)
        return given + self.proj(made)


def test_heads_and_the_width_that_code_takes_them_for_are_one_decision() -> None:
    parts = (nn.Linear(6, 12), ByWidth(), nn.Linear(12, 12), ByWidth(), nn.Linear(12, 4))
    model = nn.Sequential(*parts).eval()
    graph = amc.trace(model, noise(2, 5, 6))
    by_name = {group.name: group for group in graph.groups}
    assert {name: group.units for name, group in by_name.items()} == {"0": 4, "2": 4}
    # A unit is a position in every head of the attention, and as many channels of the width.
    assert set(by_name["0"].layers) == {"0", "1.qkv", "1.proj"}
    places = {(m.module, m.side): m.indices for m in by_name["0"].members}
    assert places["1.proj", "in"] == ((0, 4, 8), (1, 5, 9), (2, 6, 10), (3, 7, 11))
    assert places["0", "out"] == ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11))
    for kept in ((1, 4), (2, 3), (4, 1)):
        units = tuple(tuple(range(count)) for count in kept)
        small, masked = cut(model, graph, units), mask(model, graph, units)
        torch.testing.assert_close(*(outputs(net, noise(2, 5, 6))[0] for net in (small, masked)))
        assert Macs(graph)(kept) == counted_macs(small, noise(2, 5, 6))


def test_tensors_that_the_code_makes_anew_hold_nothing_back() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        state = net.first(pictures)
        made: Tensor = net.head(state + state.new_ones(state.shape[-2:]) * 0.5)
        return made

    net = Wired(forward, first=block(3, 6), head=Head(6)).eval()
    assert [group.name for group in amc.trace(net, PICTURES).groups] == ["first.0"]


def test_repeated_blocks_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from amc.tracing import trials

    tried: list[PruningGraph] = []
    real = trials.fault

    def counting(model: nn.Module, graph: PruningGraph, *args: Any, **kwargs: Any) -> Any:
        tried.append(graph)
        return real(model, graph, *args, **kwargs)

    monkeypatch.setattr(trials, "fault", counting)
    parts = [nn.Conv2d(3, 8, 1), *(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()) for _ in range(6))]
    graph = amc.trace(nn.Sequential(*parts, Head(8)), PICTURES)
    assert len(graph.groups) == 7
    assert len(tried) == 2  # all, twice


def test_a_mask_of_a_shared_weight_is_the_one_of_its_cut() -> None:
    model = Tied().eval()
    words = torch.randint(20, (2, 7), generator=torch.Generator().manual_seed(0))
    graph = amc.trace(model, words)
    units = tuple(tuple(range(group.units // 2)) for group in graph.groups)
    small, masked = cut(model, graph, units), mask(model, graph, units)
    assert small.words.weight is small.last.weight
    assert masked.words.weight is masked.last.weight
    torch.testing.assert_close(outputs(small, words)[0], outputs(masked, words)[0])


class Helped(nn.Module):
    """A head beside, in training alone; and one that nobody calls."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = block(3, 8), block(8, 8), Head(8)
        self.aside, self.unused = Head(8), nn.Linear(8, 3)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        state = self.first(pictures)
        made = self.head(self.second(F.dropout(state, 0.5, self.training)))
        return (made, self.aside(state)) if self.training else (made,)


def test_a_head_that_runs_in_training_alone_loses_what_it_reads() -> None:
    model = Helped().eval()
    graph = amc.trace(model, PICTURES)
    assert [group.name for group in graph.groups] == ["first.0", "second.0"]
    assert {item.name: item.reason for item in graph.fixed} == {
        "head.fc": "its channels are outputs of the network",
        "aside.fc": "its channels are outputs of the network",
        "unused": "it did not run on the example inputs",
    }
    small = cut(model, graph, ((0, 1, 5), (2, 3)))
    assert [one.shape for one in small.train()(PICTURES)] == [(2, 5), (2, 5)]
    assert Macs(graph)((3, 2)) == counted_macs(small, PICTURES)
    assert Params(graph)((3, 2)) == sum(one.numel() for one in small.parameters())


def test_what_does_not_run_in_training_with_these_inputs_is_told_as_such() -> None:
    class Alone(Helped):
        def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
            if self.training:
                raise ValueError("no training on one picture")
            return (self.head(self.second(self.first(pictures))),)

    model = Alone().train()
    graph = amc.trace(model, PICTURES)
    assert model.training
    assert {item.name for item in graph.fixed} == {"head.fc", "aside.fc", "unused"}


def test_what_cannot_train_on_these_inputs_even_whole_is_cut_all_the_same() -> None:
    class Narrow(Helped):
        def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
            made = self.head(self.second(self.first(pictures)))
            if self.training:  # A batch norm over one number.
                F.batch_norm(self.aside(self.first(pictures)), None, None, training=True)
            return (made,)

    graph = amc.trace(Narrow().eval(), PICTURES[:1])
    assert [group.name for group in graph.groups] == ["first.0", "second.0"]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("axis", [0, 2])
def test_weights_whose_lengths_lie_along_the_kernel_are_cut(axis: int, old: bool) -> None:
    """As the position embedding of wav2vec 2.0 has them."""
    norm: Any = torch.nn.utils.weight_norm if old else torch.nn.utils.parametrizations.weight_norm
    torch.manual_seed(0)
    middle = norm(nn.Conv1d(8, 8, 4, padding=2, groups=2), dim=axis)
    model = nn.Sequential(nn.Conv1d(3, 8, 3), middle, nn.GELU(), nn.Conv1d(8, 4, 1)).eval()
    sound = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))
    graph = amc.trace(model, sound)
    assert [group.name for group in graph.groups] == ["0", "1"]
    policy = policy_of(graph, tuple(group.units // 2 for group in graph.groups))
    small, masked = (amc.prune(model, policy, sound, masked=m) for m in (False, True))
    torch.testing.assert_close(small(sound), masked(sound))
    params = amc.COSTS["params"](graph)
    kept = tuple(group.kept for group in policy.groups)
    assert params(graph.full) == sum(one.numel() for one in model.parameters())
    assert params(kept) == sum(one.numel() for one in small.parameters())
