"""What `amc export` measured of a run, read from the file that it left there, as data alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amc.parsing import read_json
from experiments.terminal import count

FILE = "export.json"


@dataclass(frozen=True)
class Exported:
    """Both networks as ONNX files, timed in turns by `amc export`.

    Args:
        unpruned: Seconds of a pass of the unpruned network, the median.
        pruned: The same of the pruned one.
        speedup: Lower quartile, median and upper quartile of how many times as fast that is.
        macs: Of the pruned network, by which it is known again.
        params: The same.
        device: Where that was.
    """

    unpruned: float
    pruned: float
    speedup: tuple[float, float, float]
    macs: float
    params: float
    device: str


def exported(folder: Path) -> Exported | None:
    """What the folder of a run has; None without the file.

    Raises:
        ValueError: if that is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return _read(read_json(path.read_bytes()))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: damaged ({type(error).__name__}: {error}); `amc export {folder}` writes it "
            "again, or move it away"
        ) from None


def _read(data: Any) -> Exported:
    before, after, device = data["unpruned"], data["pruned"], data["device"]
    threads = int(_number(device["threads"]))
    batch = int(_number(device["batch"])) if "batch" in device else 1  # of an earlier release
    return Exported(
        unpruned=_number(before["latency"]["median"]),
        pruned=_number(after["latency"]["median"]),
        speedup=_three(data["speedup"]),
        macs=_number(after["macs"]),
        params=_number(after["params"]),
        device=f"{device['runtime']} {device['version']}, {device['processor']}, "
        f"{count(threads, 'thread')}, batch {batch}",
    )


def _three(spread: Mapping[str, Any]) -> tuple[float, float, float]:
    low, median, high = (_number(spread[name]) for name in ("low", "median", "high"))
    return low, median, high


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{value} is out of range")
    return float(value)
