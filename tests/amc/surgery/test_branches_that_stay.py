"""Branches that look as if they could go, and what taking them out must not do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_depth import apart, noisy
from tiny_networks import Wired
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.costs import Macs, Params, Size
from amc.graph import PruningGraph
from amc.modules.inputs import call
from amc.pruning import Narrowed, Pruner, narrow
from amc.surgery import cut, mask
from amc.tasks import Samples
from experiments.studies.architectures.counting import counted_macs


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def units(graph: PruningGraph, kept: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(count)) for count in graph.settled(kept).tolist())


def gone(graph: PruningGraph) -> list[int]:
    return [units if least else 0 for units, least in zip(graph.full, graph.least, strict=True)]


def right(model: nn.Module, graph: PruningGraph, kept: list[int], inputs: Tensor) -> None:
    """The cut computes what the masked does, and costs what is counted."""
    small = cut(model, graph, units(graph, kept))
    assert apart(small, mask(model, graph, units(graph, kept)), inputs) < 1e-4
    assert Macs(graph)(kept) == pytest.approx(counted_macs(small, inputs), rel=1e-9)
    numbers = sum(one.numel() for one in small.parameters())
    assert Params(graph)(kept) == numbers
    stored = {id(one): one for one in small.state_dict(keep_vars=True).values()}.values()
    each = (one.numel() * (4 if one.is_floating_point() else one.element_size()) for one in stored)
    assert Size(graph)(kept) == sum(each)


class Flat(nn.Module):
    """Attention written out in the block itself."""

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 12), nn.Linear(12, width)

    def forward(self, x: Tensor) -> Tensor:
        y, size = self.norm1(x), x.shape[:2]
        q, k, v = (
            each(y).view(*size, self.heads, -1).transpose(1, 2) for each in (self.q, self.k, self.v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(*size, -1)
        x = x + self.o(mixed)
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


def test_attention_in_the_blocks_own_code_stays_and_its_mlp_may_go() -> None:
    model = noisy(nn.Sequential(nn.Linear(5, 8), Flat(), Flat(), nn.Linear(8, 3)))
    inputs = noise(2, 6, 5)
    graph = amc.trace(model, inputs)
    assert [graph.groups[branch.groups[0]].name for branch in graph.branches] == ["1.up", "2.up"]
    for width in range(1, 9):
        kept = [
            width if group.name == "0" else n
            for group, n in zip(graph.groups, gone(graph), strict=True)
        ]
        right(model, graph, kept, inputs)


def test_products_that_would_run_on_the_stream_instead_stay() -> None:
    """Self-attention of SAGAN, whose products would grow."""

    def forward(net: Any, x: Tensor) -> Tensor:
        g, theta, phi = (each(x).flatten(2) for each in (net.g, net.theta, net.phi))
        made = (g @ (theta.transpose(1, 2) @ phi).softmax(-1)).view(len(x), -1, *x.shape[2:])
        return x + 0.5 * net.out(made)

    inner = {name: nn.Conv2d(8, 4, 1) for name in ("g", "theta", "phi")}
    block = Wired(forward, **inner, out=nn.Conv2d(4, 8, 1))
    model = noisy(nn.Sequential(nn.Conv2d(3, 8, 3), block, nn.Conv2d(8, 4, 3)))
    assert amc.trace(model, noise(2, 3, 9, 9)).branches == ()


class Added(nn.Module):
    """x plus what layers in this module make of it."""

    def __init__(self, forward: Any, **layers: nn.Module) -> None:
        super().__init__()
        self.inner = Wired(forward, **layers)
        self.in_place = False

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        if self.in_place:
            out += x
            return out
        return out + x


def mlp(net: Any, x: Tensor) -> Tensor:
    out: Tensor = net.down(F.relu(net.up(x)))
    return out


@pytest.mark.parametrize("in_place", [False, True])
def test_one_sample_shows_what_several_need(in_place: bool) -> None:
    block = Added(mlp, up=nn.Linear(8, 6), down=nn.Linear(6, 8))
    block.in_place = in_place
    model = noisy(nn.Sequential(nn.Linear(5, 8), block, nn.Linear(8, 3)))
    graph = amc.trace(model, noise(1, 5))
    assert len(graph.branches) == 1
    right(model, graph, gone(graph), noise(4, 5))


def test_towers_that_are_joined_keep_their_samples() -> None:
    deep = Wired(mlp, up=nn.Linear(5, 6), down=nn.Linear(6, 4))
    model = noisy(
        Wired(
            lambda net, x: net.last(torch.cat([net.wide(x), net.deep(x)], 1)),
            wide=nn.Linear(5, 3),
            deep=deep,
            last=nn.Linear(7, 2),
        )
    )
    graph = amc.trace(model, noise(1, 5))
    assert len(graph.branches) == 1
    right(model, graph, gone(graph), noise(4, 5))


def test_a_norm_of_a_constant_goes_with_the_branch_or_the_branch_stays() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        return x + net.norm(F.relu(net.second(F.relu(net.first(x)))))

    block = Wired(
        forward,
        first=nn.Conv2d(8, 6, 3, padding=1),
        second=nn.Conv2d(6, 8, 3, padding=1),
        norm=nn.BatchNorm2d(8),
    )
    model = noisy(nn.Sequential(nn.Conv2d(3, 8, 3), block, nn.Flatten(), nn.Linear(288, 4)))
    inputs = noise(8, 3, 8, 8)
    graph = amc.trace(model, inputs[:1])
    data = Samples(inputs, torch.zeros(8, dtype=torch.long))
    Pruner.of(model, graph, "l1", calibration=data).network(gone(graph))
    cut(model, graph, units(graph, gone(graph))).train()(inputs)


class Shared(nn.Module):
    """One activation for both places, working in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.norm, self.pool = nn.BatchNorm2d(6), nn.AdaptiveAvgPool2d(1)
        self.gate, self.relu = nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.second(self.relu(self.norm(self.first(x))))
        out = out * self.gate(self.pool(x)).sigmoid()
        out += x
        out: Tensor = self.relu(out)
        return out


def test_what_works_in_place_leaves_the_shortcut_alone() -> None:
    model = noisy(nn.Sequential(nn.Conv2d(3, 8, 3), Shared(), Shared(), nn.Conv2d(8, 4, 3)))
    inputs = noise(2, 3, 9, 9)
    graph = amc.trace(model, inputs)
    small = cut(model, graph, units(graph, gone(graph))).train()
    small(inputs).sum().backward()


def test_a_network_of_branches_alone_may_lose_all_of_them() -> None:
    parts = (Added(mlp, up=nn.Linear(5, 6), down=nn.Linear(6, 5)) for _ in range(2))
    model, inputs = noisy(nn.Sequential(*parts)), noise(2, 5)
    graph = amc.trace(model, inputs)
    start = Narrowed.start(model, graph)
    nothing = narrow(start, [0, 0], "l1")
    assert Params(nothing.graph)(nothing.graph.full) == 10
    assert narrow(nothing, [0, 0], "l1").kept == (0, 0)


def test_one_of_the_attentions_to_a_class_token_stays() -> None:
    layers = [
        nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=True)
        for _ in range(2)
    ]

    def forward(net: Any, x: Tensor) -> Tensor:
        token = net.token(torch.zeros(len(x), 1, dtype=torch.long))
        made = net.second(net.first(torch.cat([token, net.embed(x)], 1)))
        out: Tensor = net.last(made[:, 0])
        return out

    model = noisy(
        Wired(
            forward,
            token=nn.Embedding(1, 8),
            embed=nn.Linear(5, 8),
            first=layers[0],
            second=layers[1],
            last=nn.Linear(8, 3),
        )
    )
    inputs = noise(2, 6, 5)
    graph = amc.trace(model, inputs)
    assert len(graph.branches) == 3
    small = cut(model, graph, units(graph, gone(graph)))
    with torch.no_grad():
        assert not torch.allclose(call(small, inputs), call(small, inputs + noise(2, 6, 5)))


def test_what_shares_a_weight_with_another_stays() -> None:
    blocks = [Added(mlp, up=nn.Linear(8, 6), down=nn.Linear(6, 8)) for _ in range(2)]
    blocks[1].inner.up.weight = blocks[0].inner.up.weight
    model = noisy(nn.Sequential(nn.Linear(5, 8), *blocks, nn.Linear(8, 3)))
    graph = amc.trace(model, noise(2, 5))
    right(model, graph, gone(graph), noise(2, 5))


def test_a_bypass_takes_what_the_block_took() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down, self.kind = nn.Linear(8, 6), nn.Linear(6, 8), "residual"

        def forward(self, x: Tensor, scale: float | None = None) -> Tensor:
            out = self.down(F.relu(self.up(x)))
            return x + (out if scale is None else out * scale)

    model = noisy(nn.Sequential(nn.Linear(5, 8), Block(), nn.Linear(8, 3)))
    graph = amc.trace(model, noise(2, 5))
    small = cut(model, graph, units(graph, gone(graph)))
    block: Any = small.get_submodule("1")
    assert block(noise(2, 8), 2.0).shape == (2, 8)
    assert block(noise(2, 8), scale=None).shape == (2, 8)


class Teaching(nn.Module):
    """In training it reads the weights of its blocks, and norms over samples need several."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 32, 3), nn.Linear(32, 4)
        self.blocks = nn.Sequential(*(Adding() for _ in range(3)))
        self.norm = nn.BatchNorm1d(32)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.last(self.norm(self.blocks(self.stem(x)).mean((2, 3))))
        if self.training:
            made = made + sum(block.one.weight.square().mean() for block in self.blocks)
        return made


class Adding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(torch.relu(self.one(x)))


def test_blocks_whose_weights_training_reads_keep_them() -> None:
    graph = amc.trace(Teaching().eval(), torch.randn(1, 3, 8, 8))
    model = cut(
        Teaching(),
        graph,
        tuple(
            () if any(at in one.within for one in graph.branches) else tuple(range(group.units))
            for at, group in enumerate(graph.groups)
        ),
    )
    model.train()(torch.randn(4, 3, 8, 8))
