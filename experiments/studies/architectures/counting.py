"""Multiply-accumulates by PyTorch's own counter, to which ours are held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from amc.modules import Inputs, call, samples_of


def counted_macs(model: nn.Module, inputs: Inputs, samples: int = 0) -> float:
    """MACs of one sample's forward pass in evaluation mode, by PyTorch's `FlopCounterMode`.

    Gradients are on and attention runs in its plain kernel, so that nothing fused hides from it.

    Args:
        model: The network; its mode is left as it is.
        inputs: Of its forward pass.
        samples: How many these are; 0 reads it off them.
    """
    was = model.training
    model.eval()
    with torch.enable_grad(), _nothing_fused(), FlopCounterMode(display=False) as counter:
        call(model, inputs)
    model.train(was)
    return float(counter.get_total_flops()) / 2 / (samples or samples_of(inputs))


@contextmanager
def _nothing_fused() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    onednn = bool(torch.backends.mkldnn.enabled)
    torch.backends.mha.set_fastpath_enabled(False)
    # oneDNN has recurrent layers in one operation that the counter does not know.
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mkldnn.enabled = onednn  # type: ignore[assignment]
        torch.backends.mha.set_fastpath_enabled(fast)
