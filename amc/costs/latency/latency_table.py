"""What was measured of a network on one device: frozen, and kept as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amc.costs.latency.interpolation import complete, weights
from amc.graph import Layer
from amc.parsing import read_json, read_record

SCHEMA_VERSION = 1
MAX_BYTES = 64_000_000


class LatencyTableError(ValueError):
    """A table that cannot be read, or that is of another network."""


@dataclass(frozen=True)
class Device:
    """Where and how the times were taken.

    Args:
        processor: Its name.
        cores: It has.
        system: Operating system and instruction set.
        runtime: "onnxruntime", "openvino", "torch", or command:... as a person typed it.
        version: Of the runtime.
        threads: That the runtime may use.
        batch: Samples in one pass.
        dtype: Of weights and activations.
        revision: Family, model and stepping of the processor, or what ARM has instead; empty where
            the system does not tell it, and in tables of earlier releases.
        instructions: Sets that runtimes choose their code by, such as "avx avx2 fma"; likewise.
    """

    processor: str
    cores: int
    system: str
    runtime: str
    version: str
    threads: int
    batch: int
    dtype: str = "float32"
    revision: str = ""
    instructions: str = ""

    def differences(self, other: Device) -> tuple[str, ...]:
        """In what it is not the other device: "version 1.31.0, not 1.32.0"."""
        mine, others = asdict(self), asdict(other)
        return tuple(
            f"{key} {mine[key] or 'not told'}, not {others[key]}"
            for key in mine
            if mine[key] != others[key]
        )

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.processor}, {self.runtime} {self.version}, {threads}, batch {self.batch}"


@dataclass(frozen=True)
class Point:
    """One measured width.

    Args:
        inputs: Channels read.
        outputs: Channels made.
        seconds: The second fastest of twelve rounds, without what an empty pass takes.
        spread: Between the quartiles of the rounds, in seconds.
    """

    inputs: int
    outputs: int
    seconds: float
    spread: float


@dataclass(frozen=True)
class Piece:
    """A layer with all that runs behind it up to the next one, at several widths.

    Layers that are alike share one.

    Args:
        about: What runs, for people: "conv 3x3 on 28x28, Relu".
        kind: Which correction it takes.
        tied: Inputs and outputs go together, so that the points lie on a line.
        points: What was measured.
        error: Median relative error at widths that were measured only to check the rest.
    """

    about: str
    kind: str
    tied: bool
    points: tuple[Point, ...]
    error: float = 0.0

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Measured numbers of input channels, ascending."""
        return tuple(sorted({point.inputs for point in self.points}))

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Measured numbers of output channels, ascending."""
        return tuple(sorted({point.outputs for point in self.points}))

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """(inputs, outputs) at all knots; where they are tied (knots,)."""
        if self.tied:
            along = sorted(self.points, key=lambda point: (point.outputs, point.inputs))
            return np.array([point.seconds for point in along])
        times = np.full((len(self.inputs), len(self.outputs)), np.nan)
        for point in self.points:
            row, column = self.inputs.index(point.inputs), self.outputs.index(point.outputs)
            times[row, column] = point.seconds
        return np.maximum(complete(times), 0.0)

    def over(self, inputs: Sequence[int], outputs: Sequence[int]) -> NDArray[np.float64]:
        """(inputs, outputs) seconds at these widths; where they are tied (outputs,)."""
        right = weights(outputs, self.outputs)
        if self.tied:
            return right @ self.seconds
        return weights(inputs, self.inputs) @ self.seconds @ right.T


@dataclass(frozen=True)
class Correction:
    """From the sum over pieces measured alone to the whole network.

    Args:
        constant: Seconds that a pass takes beside its layers.
        scales: By kind of piece, what its own time is multiplied by.
    """

    constant: float
    scales: Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """How well the table predicts whole networks.

    Args:
        networks: That were measured whole.
        median: Relative error, cross-validated.
        p90: Its 90th percentile.
        spearman: Rank correlation of predicted and measured.
        noise: Median relative difference of two measurements of the same network.
    """

    networks: int
    median: float
    p90: float
    spearman: float
    noise: float


@dataclass(frozen=True)
class LatencyTable:
    """Times of a network's pieces on a device.

    Args:
        device: Where they were taken.
        network: Its name, for people.
        layers: Every layer but norms, unpruned, in forward order.
        calls: The layer and the piece of each call, in forward order; a shared layer has several.
        pieces: What was measured.
        correction: From pieces to the network.
        fit: How far to trust it.
        settings: How it was measured: rounds, programs, how unsteady the machine was, seconds that
            it took, the median pass of the unpruned network with all that disturbed it, whether
            only whole blocks of channels were (1), of which multiple all counts are otherwise, and
            the largest pruning ratio of a group.
    """

    device: Device
    network: str
    layers: tuple[Layer, ...]
    calls: tuple[tuple[str, int], ...]
    pieces: tuple[Piece, ...]
    correction: Correction
    fit: Fit
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def blocks(self) -> bool:
        """Whether only the counts of `amc.costs.latency.in_blocks` were measured."""
        return bool(self.settings.get("blocks"))

    @property
    def multiple(self) -> int:
        """Of what all counts are multiples that were measured, where they are no blocks."""
        return max(1, int(self.settings.get("multiple", 1)))

    @property
    def max_ratio(self) -> float:
        """Largest pruning ratio of a group that was measured."""
        return float(self.settings.get("max_ratio", 0.8))

    def to_json(self) -> str:
        """The table as JSON that `from_json` reads back to an equal one."""
        data = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        data["pieces"] = [
            {**asdict(piece), "points": [list(asdict(point).values()) for point in piece.points]}
            for piece in self.pieces
        ]
        return json.dumps(data) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "latency table") -> LatencyTable:
        """Read JSON; `where` names its source in messages.

        Raises:
            LatencyTableError: if it is not a table of this schema version.
        """
        try:
            data = read_json(text)
            version = data.pop("schema_version", None)
            if version != SCHEMA_VERSION:
                raise ValueError(f"schema version {version!r}, not {SCHEMA_VERSION}")
            for piece in data.get("pieces", ()):
                piece["points"] = [_point(numbers) for numbers in piece["points"]]
            return read_record(cls, data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LatencyTableError(
                f"{where}: not a latency table of this release ({error}); `amc profile` writes one"
            ) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LatencyTable:
        """Read a table from a file.

        Raises:
            FileNotFoundError: if there is none.
            LatencyTableError: if it is not a table of this schema version.
        """
        source = Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"no latency table at {source}; `amc profile` writes one")
        if source.stat().st_size > MAX_BYTES:
            raise LatencyTableError(f"{source}: too large for a latency table")
        try:
            text = source.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise LatencyTableError(f"{source}: not text; a latency table is a JSON file") from None
        return cls.from_json(text, str(source))


def _point(numbers: Any) -> dict[str, Any]:
    """A point by names; in the file it is a list, as there are thousands.

    Raises:
        TypeError, ValueError: if it is none.
    """
    return dict(zip(("inputs", "outputs", "seconds", "spread"), numbers, strict=True))
