"""One small network, exported once."""

from __future__ import annotations

import pytest
import torch
from exported import Exported, Small
from torch import Tensor

from amc.tracing.build import trace
from experiments.latency.profiling.templates import template


@pytest.fixture(scope="session")
def small() -> Exported:
    """Do not change it."""
    torch.manual_seed(0)
    model = Small().eval()
    assert isinstance(model.norm.running_mean, Tensor)
    model.norm.running_mean.normal_()
    inputs = torch.randn(2, 2, 6, 6)
    graph = trace(model, inputs)
    return Exported(model, inputs, graph, template(model, graph, inputs))
