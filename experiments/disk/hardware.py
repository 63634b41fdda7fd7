"""What a run was made with."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "numpy", "gymnasium", "stable-baselines3")


def machine(device: str = "cpu") -> dict[str, str]:
    """Versions, processor and threads, for people to read; the GPU too, if the device is one."""
    import torch

    return {
        "amc": _version("amc-pruning"),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "processor": f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "instructions": _instructions(),
        **({} if device == "cpu" else {"gpu": torch.cuda.get_device_name(device)}),
        "system": f"{platform.system()} {platform.machine()}",
    }


def in_short(made: Mapping[str, str]) -> str:
    """Of what `machine` tells the version of PyTorch and the processor."""
    return f"torch {made['torch']}, {made['processor']}"


def _instructions() -> str:
    """The widest that PyTorch computes with, and bfloat16 where the processor has it."""
    import torch

    from amc.devices import bfloat16_is_fast

    widest = torch.backends.cpu.get_cpu_capability()
    return f"{widest} with bfloat16" if bfloat16_is_fast() else widest


def memory_bytes() -> int | None:
    """Of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # such as on Windows
        return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            named = [line.partition(":")[2].strip() for line in info if "model name" in line]
    except OSError:
        named = []
    return named[0] if named else platform.processor() or "unknown"
