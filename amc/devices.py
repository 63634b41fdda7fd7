"""What the processor or GPU at hand does well, and the state of a network on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def bfloat16_is_fast(device: torch.device | str = "cpu") -> bool:
    """True where bfloat16 arithmetic runs in hardware (AVX512-BF16, AMX, Arm BF16, recent GPUs).

    Elsewhere it is emulated and many times slower than float32.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    have = torch.cpu.get_capabilities()
    return any(bool(have.get(name)) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the first parameter or buffer of `model` lives; the CPU if it has none."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode within; after it, come what may, every module has the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def lay_channels_last(model: torch.nn.Module) -> None:
    """Store kernels in place with channels last, which convolutions on images run faster in."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
