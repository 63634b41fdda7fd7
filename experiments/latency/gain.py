"""What pruning gained where the network will run: one table, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from experiments.disk import machine, write_whole
from experiments.latency import clock
from experiments.runs import CostChange
from experiments.terminal import count, percent

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Spread:
        """Of (values,)."""
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))


def times_as_fast(slow: clock.Rounds, fast: clock.Rounds) -> Spread:
    """How many times as fast the second of two programs is, over the rounds that they shared.

    Args:
        slow: Of each round the seconds of each run; the fastest of these counts.
        fast: The same, of as many rounds.
    """
    before, after = (np.array([min(burst) for burst in bursts]) for bursts in (slow, fast))
    return Spread.of(before / after)


@dataclass(frozen=True)
class Deployed:
    """One network as a file.

    Args:
        file: Its name.
        bytes: Its size.
        params: Parameters of the network; of masked layers those that are not zero.
        macs: Multiply-accumulates for one sample.
        latency: Of a pass, as a profile measures it.
    """

    file: str
    bytes: int
    params: float
    macs: float
    latency: clock.Timing


@dataclass(frozen=True)
class Gain:
    """The network before and after, in one runtime.

    Args:
        unpruned: As it came.
        pruned: As the run left it.
        speedup: How many times as fast the pruned one is, over the rounds.
        rounds: In each of which both had their turn.
        difference: The largest of either file's logits from PyTorch's.
        device: What the times depend on (`latency.clock.device`, and batch).
        machine: Versions and processor.
    """

    unpruned: Deployed
    pruned: Deployed
    speedup: Spread
    rounds: int
    difference: float
    device: Mapping[str, Any]
    machine: Mapping[str, str] = field(default_factory=machine)

    @classmethod
    def of(
        cls,
        files: Sequence[Path],
        costs: Mapping[str, CostChange],
        rounds: Sequence[clock.Rounds],
        difference: float,
        device: Mapping[str, Any],
    ) -> Gain:
        """From files of the unpruned and the pruned network.

        Args:
            files: Both.
            costs: "params" and "macs" of both.
            rounds: Of each file, as many of both, measured in turns.
            difference: The largest of either file's logits from PyTorch's.
            device: What the times depend on.
        """
        params, macs = costs["params"], costs["macs"]
        amounts = ((params.unpruned, macs.unpruned), (params.pruned, macs.pruned))
        unpruned, pruned = [
            Deployed(file.name, file.stat().st_size, *amount, clock.timing(bursts))
            for file, amount, bursts in zip(files, amounts, rounds, strict=True)
        ]
        speedup = times_as_fast(*rounds)
        return cls(unpruned, pruned, speedup, len(rounds[0]), difference, device)

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=1) + "\n"
        write_whole(path, text)

    def table(self) -> Table:
        """One row a measure, with what is left of it."""
        table = Table(box=None, pad_edge=False)
        for heading in ("", "unpruned", "pruned", "left"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        before, after = self.unpruned, self.pruned
        for name, one, other in (
            ("file, bytes", before.bytes, after.bytes),
            ("parameters", before.params, after.params),
            ("MACs", before.macs, after.macs),
        ):
            table.add_row(name, f"{one:,.0f}", f"{other:,.0f}", percent(other / one))
        slow, fast = (1000 * one.latency["seconds"] for one in (before, after))
        left = percent(1 / self.speedup.median)
        table.add_row("latency, ms", f"{slow:.3f}", f"{fast:.3f}", left)
        return table

    def notes(self) -> str:
        """What the numbers are, line by line."""
        device = self.device
        return (
            f"{self.pruned.file} {self.verdict()}\n"
            f"latency: batch {device['batch']}, {device['runtime']} {device['version']}, "
            f"{count(device['threads'], 'thread')}; in turns, "
            f"{count(self.rounds, 'round')}\n"
            f"answers differ from PyTorch's by at most {self.difference:.1e}"
        )

    def verdict(self) -> str:
        """Whether it is faster: three quarters of the rounds have to say so."""
        low, median, high = self.speedup.low, self.speedup.median, self.speedup.high
        times = f"{median:.2f} times as fast ({low:.2f} to {high:.2f})"
        return f"is {times}" if low > 1 else f"is not measurably faster: {times}"
