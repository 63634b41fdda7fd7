"""What the processor or GPU at hand does well."""

from __future__ import annotations

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


def lay_channels_last(model: torch.nn.Module) -> None:
    """Store kernels in place with channels last, which convolutions on images run faster in."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
