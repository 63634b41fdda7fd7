"""Blocks that are tied by what no channel flows through: a constant that one of them makes."""

import torch
from torch import Tensor, nn

import amc
from amc.surgery import cut

WIDTH, HEADS = 16, 4


class Biased(nn.Module):
    """Attention that adds a bias of zeros, as those of T5 to an encoder do, and hands it on."""

    def __init__(self) -> None:
        super().__init__()
        self.heads, self.each = HEADS, WIDTH // HEADS
        self.q, self.k = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.v, self.o = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        many, long, _ = x.shape
        q, k, v = (
            layer(x).view(many, long, -1, self.each).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        if bias is None:
            bias = torch.zeros(1, self.heads, long, long)
        made = ((q @ k.mT + bias).softmax(-1) @ v).transpose(1, 2).reshape(many, long, -1)
        return self.o(made), bias


class Handed(nn.Module):
    """Three of them, of which the first makes the bias, and MLPs in between."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Biased() for _ in range(3))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 24), nn.ReLU(), nn.Linear(24, WIDTH)) for _ in range(3)
        )
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        bias: Tensor | None = None
        for block, mlp in zip(self.blocks, self.mlps, strict=True):
            made, bias = block(x, bias)
            x = x + made
            x = x + mlp(x)
        out: Tensor = self.head(x)
        return out


def test_heads_that_share_a_bias_of_zeros_are_no_decision_of_their_own() -> None:
    """Every group can be cut alone, to any count."""
    torch.manual_seed(0)
    model, inputs = Handed().eval(), torch.randn(2, 6, WIDTH)
    graph = amc.trace(model, inputs)
    for at, group in enumerate(graph.groups):
        for count in range(1, group.units):
            kept = [range(count if one == at else g.units) for one, g in enumerate(graph.groups)]
            smaller = cut(model, graph, tuple(map(tuple, kept)))
            assert smaller(inputs).shape == (2, 6, 5)


class Listening(nn.Module):
    """Words that attend to a sound; its stem could be a constant, for all that the words need."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(4, 12, 3, padding=1), nn.Conv1d(12, WIDTH, 3, padding=1)
        self.words = nn.Embedding(20, WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 24), nn.ReLU(), nn.Linear(24, WIDTH))
        self.places = nn.Parameter(torch.randn(10, WIDTH))
        self.head = nn.Linear(WIDTH, 20)

    def forward(self, sound: Tensor, words: Tensor) -> Tensor:
        heard = self.two(self.one(sound).relu()).relu().transpose(1, 2) + self.places
        x = self.words(words)
        keys = self.k(heard).view(len(words), -1, WIDTH)
        scores = (self.q(x) @ keys.mT).softmax(-1)
        x = x + scores @ self.v(heard)
        out: Tensor = self.head(x + self.mlp(x))
        return out


def test_no_input_is_lost_with_a_branch() -> None:
    torch.manual_seed(0)
    model = Listening().eval()
    example = (torch.randn(1, 4, 10), torch.randint(20, (1, 6)))
    graph = amc.trace(model, example)
    least = {group.name: count for group, count in zip(graph.groups, graph.least, strict=True)}
    assert least["one"] == 1
    assert least["mlp.0"] == 0
    smaller = cut(model, graph, tuple(tuple(range(count)) for count in graph.least))
    assert smaller(torch.randn(3, 4, 10), torch.randint(20, (3, 6))).shape == (3, 6, 20)
