"""What PyTorch's allocator hands out, by the record of PyTorch's own profiler."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from amc.modules import Inputs, call


def peak_bytes(network: nn.Module, inputs: Inputs) -> int:
    """Bytes that it has handed out at most during a forward pass."""
    with torch.no_grad():
        call(network, inputs)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            call(network, inputs)
    assert seen.profiler is not None
    assert seen.profiler.kineto_results is not None
    events = [one for one in seen.profiler.kineto_results.events() if one.name() == "[memory]"]
    changes = [one.nbytes() for one in sorted(events, key=lambda one: one.start_ns())]
    return int(np.cumsum(changes).max())
