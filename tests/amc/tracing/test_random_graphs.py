"""Random networks of sums, concatenations, grouped layers and gates: their cuts are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from architectures import SqueezeExcite, noisy
from hypothesis import given, settings
from hypothesis import strategies as st
from real_costs import peak_bytes
from tiny_networks import random_units
from torch import Tensor, nn

from amc.costs import Memory, Params
from amc.surgery import cut, mask
from amc.tracing.build import trace
from amc.tracing.couplings import ALL_OR_NONE

FROM_OUTPUTS = "its channels are outputs of the network"
WIDTHS = (4, 8)
"""Even, so that every layer may have two groups."""


@dataclass(frozen=True)
class Step:
    """One node of a random network: an operation on one or two earlier ones."""

    kind: str
    first: int
    second: int
    width: int


KINDS = ("conv", "norm", "add", "cat", "depthwise", "grouped", "gate", "transposed", "halves")
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(KINDS),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(WIDTHS),
    ),
    min_size=2,
    max_size=7,
)


class Random(nn.Module):
    """The steps in turn; each reads earlier nodes, and the last node is classified."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__()
        self.steps = steps
        self.layers = nn.ModuleList()
        self.stem, widths = nn.Conv2d(3, 8, 1), [8]
        for step in steps:
            layer, width = _layer(step, *(widths[at % len(widths)] for at in _reads(step)))
            self.layers.append(layer)
            widths.append(width)
        self.last = nn.Linear(widths[-1], 3)

    def forward(self, images: Tensor) -> Tensor:
        nodes = [self.stem(images)]
        for step, layer in zip(self.steps, self.layers, strict=True):
            first, second = (nodes[at % len(nodes)] for at in _reads(step))
            nodes.append(_apply(step.kind, layer, first, second))
        logits: Tensor = self.last(nodes[-1].mean((2, 3)))
        return logits


def _reads(step: Step) -> tuple[int, int]:
    return step.first, step.second


def _layer(step: Step, first: int, second: int) -> tuple[nn.Module, int]:
    if step.kind == "add":  # brought to the width of the other where it differs
        return nn.Identity() if first == second else nn.Conv2d(first, second, 1), second
    made: dict[str, Any] = {
        "conv": lambda: (nn.Conv2d(first, step.width, 3, padding=1), step.width),
        "norm": lambda: (nn.BatchNorm2d(first), first),
        "cat": lambda: (nn.Identity(), first + second),
        "depthwise": lambda: (nn.Conv2d(first, first, 3, padding=1, groups=first), first),
        "grouped": lambda: (nn.Conv2d(first, step.width, 1, groups=2), step.width),
        "gate": lambda: (SqueezeExcite(first, 3), first),
        "transposed": lambda: (nn.ConvTranspose2d(first, step.width, 1), step.width),
        "halves": lambda: (nn.GLU(1), first // 2) if first % 4 == 0 else (nn.Identity(), first),
    }
    found: tuple[nn.Module, int] = made[step.kind]()
    return found


def _apply(kind: str, layer: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    if kind == "add":
        return torch.relu(layer(first) + second)
    if kind == "cat":
        return torch.cat([first, second], 1)
    if isinstance(layer, nn.GLU):
        left, right = first.chunk(2, 1)
        return left * torch.sigmoid(right)
    return torch.relu(layer(first)) if kind == "norm" else layer(first)  # type: ignore[no-any-return]


@given(STEPS, st.integers(0, 99))
@settings(deadline=None, max_examples=12)
def test_a_cut_random_network_equals_the_masked_one(steps: list[Step], seed: int) -> None:
    torch.manual_seed(seed)
    model, images = noisy(Random(steps), seed), torch.randn(2, 3, 4, 4)
    graph = trace(model, images)
    assert {item.reason for item in graph.fixed} <= {FROM_OUTPUTS, ALL_OR_NONE}
    units = random_units(graph.full, seed)
    smaller = cut(model, graph, units)
    with torch.no_grad():
        wanted = mask(model, graph, units)(images)
        torch.testing.assert_close(smaller(images), wanted, rtol=1e-4, atol=1e-4)
    kept = [len(staying) for staying in units]
    assert Params(graph)(kept) == sum(p.numel() for p in smaller.parameters())
    assert Memory(graph, batch=2)(kept) == peak_bytes(smaller, images)
