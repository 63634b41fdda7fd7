"""Networks to rollout over: a few small ones, and random ones for the property tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from amc import COSTS, Budget, Problem, Rounding, Samples, trace
from amc.costs import Limits
from amc.tasks import Classification

PIXELS = 8
IMAGE = (1, 1, PIXELS, PIXELS)


class Residual(nn.Module):
    """Two convolutions whose sum with the input couples the channels of both ends."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(inner)
        self.second = nn.Conv2d(inner, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        inside = torch.relu(self.norm(self.first(features)))
        return torch.relu(features + self.second(inside))


def plain(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]


def separable(inputs: int, outputs: int) -> list[nn.Module]:
    """Depthwise, then pointwise."""
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return [depthwise, nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1), nn.ReLU()]


def network(stem: int, blocks: Sequence[tuple[str, int]], flattened: int = 0) -> nn.Sequential:
    """A stem convolution, blocks by name and width, and a head of 3 logits.

    Args:
        stem: Channels of the first convolution.
        blocks: "plain", "separable" or "residual", and each one's width.
        flattened: Units of one more linear layer that reads all positions; 0 leaves it out, and
            the head reads averages instead.
    """
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(1, stem, 3, stride=2, padding=1), nn.ReLU()]
    channels, pixels = stem, PIXELS // 2
    for kind, width in blocks:
        if kind == "residual":
            layers.append(Residual(channels, width))
            continue
        layers += {"plain": plain, "separable": separable}[kind](channels, width)
        channels, pixels = width, -(-pixels // 2) if kind == "plain" else pixels
    if flattened:
        layers += [nn.Flatten(), nn.Linear(channels * pixels**2, flattened), nn.ReLU()]
    else:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(flattened or channels, 3))


def samples() -> Samples:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(8, *IMAGE[1:], generator=generator)
    return Samples(images, torch.randint(0, 3, (8,), generator=generator))


def problem(model: nn.Module, *budgets: Budget, **settings: Any) -> Problem:
    """A problem of 8 held-out images, so that an evaluation takes milliseconds."""
    return Problem(
        model, torch.zeros(IMAGE), budgets, task=Classification(None, samples()), **settings
    )


@st.composite
def networks(draw: st.DrawFn) -> nn.Sequential:
    """Random widths, depths and kinds of blocks."""
    kinds = st.sampled_from(["plain", "separable", "residual"])
    blocks = draw(st.lists(st.tuples(kinds, st.integers(2, 9)), max_size=3))
    return network(draw(st.integers(2, 9)), blocks, draw(st.sampled_from([0, 0, 5])))


roundings = st.builds(
    Rounding, round_to=st.sampled_from([1, 2, 4]), max_ratio=st.sampled_from([0.3, 0.5, 0.8, 0.95])
)


@dataclass(frozen=True)
class Case:
    """A problem with reachable budgets, and an action for each of its groups."""

    problem: Problem
    actions: tuple[float, ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any network, with no budget, one or two: from the smallest that can be reached upwards."""
    model, rounding = draw(networks()), draw(roundings)
    graph = trace(model, torch.zeros(IMAGE))
    smallest = Limits.of(graph, [], COSTS, rounding).smallest
    budgets = []
    for name in draw(st.sampled_from([(), ("macs",), ("params",), ("macs", "params")])):
        cost = COSTS[name](graph)
        least, full = cost(smallest), cost(graph.full)
        most = least + draw(st.floats(0, 1)) * (full - least)
        budgets.append(Budget(name, most, relative=False))
    ratio = st.floats(0, 1)
    groups = len(graph.groups)
    actions = draw(st.lists(ratio, min_size=groups, max_size=groups))
    return Case(problem(model, *budgets, rounding=rounding), tuple(actions))
