"""What `amc export` measured of a run, read from the file that it left there, as data alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amc.parsing import Amount, Some, read_json, read_record
from experiments.terminal import count

FILE = "export.json"


@dataclass(frozen=True)
class Exported:
    """Both networks as ONNX files, timed in turns by `amc export`.

    Args:
        unpruned: Seconds of a pass of the unpruned network.
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


def read_export(folder: Path) -> Exported | None:
    """What the folder of a run has; None without the file.

    Raises:
        ValueError: if that is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = read_record(_File, read_json(path.read_bytes()), others=True)
    except ValueError as error:
        raise ValueError(
            f"{path}: damaged ({error}); `amc export {folder}` writes it again, or move it away"
        ) from None
    spread, device = found.speedup, found.device
    return Exported(
        unpruned=found.unpruned.latency.told,
        pruned=found.pruned.latency.told,
        speedup=(spread.low, spread.median, spread.high),
        macs=found.pruned.macs,
        params=found.pruned.params,
        device=f"{device.runtime} {device.version}, {device.processor}, "
        f"{count(device.threads, 'thread')}, batch {device.batch}",
    )


@dataclass(frozen=True)
class _Spread:
    low: Amount
    median: Amount
    high: Amount


@dataclass(frozen=True)
class _Latency:
    seconds: Amount | None = None
    median: Amount | None = None  # of an earlier release

    def __post_init__(self) -> None:
        if self.seconds is None and self.median is None:
            raise ValueError("latency.seconds is missing")

    @property
    def told(self) -> float:
        return (self.median if self.seconds is None else self.seconds) or 0.0


@dataclass(frozen=True)
class _Unpruned:
    latency: _Latency


@dataclass(frozen=True)
class _Pruned:
    latency: _Latency
    macs: Amount
    params: Amount


@dataclass(frozen=True)
class _Device:
    runtime: str
    version: str
    processor: str
    threads: Some
    batch: Some = 1  # of an earlier release


@dataclass(frozen=True)
class _File:
    """Of the file, what is read."""

    unpruned: _Unpruned
    pruned: _Pruned
    speedup: _Spread
    device: _Device
