"""The zoo's networks, narrow and untrained, each traced once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest
import torch
from tiny_networks import randomised
from torch import Tensor, nn

from amc.graph import PruningGraph
from amc.tracing.build import trace
from experiments.zoo.models import MODELS, build_model


@dataclass(frozen=True)
class Traced:
    """A network with random weights, its inputs (2, 1, 28, 28) and its graph."""

    model: nn.Module
    inputs: Tensor
    graph: PruningGraph


@cache
def traced(name: str) -> Traced:
    inputs = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    model = randomised(build_model(name, in_channels=1, classes=10, width=0.25))
    return Traced(model, inputs, trace(model, inputs))


@pytest.fixture(params=MODELS)
def zoo(request: pytest.FixtureRequest) -> Traced:
    """Every network of the zoo in turn; do not change them."""
    return traced(request.param)


@pytest.fixture
def resnet8() -> Traced:
    """The smallest network of the zoo; do not change it."""
    return traced("resnet8")


@pytest.fixture
def mobilenet_v1() -> Traced:
    """The zoo's network of depthwise convolutions; do not change it."""
    return traced("mobilenet-v1")
