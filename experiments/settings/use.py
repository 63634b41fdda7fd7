"""Settings of the commands that use runs: `amc export`, `amc report`, `amc watch`, `amc runs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from experiments.settings.commands import CommandSettings
from experiments.settings.kinds import (
    Amount,
    Port,
    Text,
    Threads,
    Word,
    Words,
)


@dataclass(frozen=True)
class ExportSettings(CommandSettings):
    """What to write of a finished run.

    Args:
        run: Run folder, as made by search, prune or benchmark.
        format: onnx (needs the extra of that name), torch (safetensors with the policy inside),
            torch-pruning (pruning ratios of layers, for the package of that name) or json (the
            policy).
        out: File to write; left out, inside the run folder. Beside an ONNX file stand unpruned.onnx
            and export.json, which compares the two.
        measure: Seconds to compare the latencies of the ONNX files for; 0 writes the pruned network
            alone.
        threads: Of onnxruntime while it is measured; left out, those of the run's latency table, or
            1 without one. The batch size is the table's too.
        weights: Checkpoint of the unpruned network for unpruned.onnx; left out, the run's own.
        model: The run's own network, said again where that is package.module:function: code is
            imported where the command names it, and never because a run folder does.
        dataset: The run's own data set, the same.
        task: The run's own task, the same.
    """

    command: ClassVar[str] = "export"
    section: ClassVar[str] = "Export"
    run: Word
    format: Text = "onnx"
    out: Text | None = None
    measure: Amount = 5.0
    threads: Threads | None = None
    weights: Text | None = None
    model: Text | None = None
    dataset: Text | None = None
    task: Text | None = None


@dataclass(frozen=True)
class ReportSettings(CommandSettings):
    """Which runs to show side by side.

    Args:
        runs: Run folders; of a benchmark's folder, every run inside.
        out: HTML file to write; left out, report.html in the first folder.
    """

    command: ClassVar[str] = "report"
    section: ClassVar[str] = "Report"
    reads_file: ClassVar[bool] = False
    runs: Words
    out: Text | None = None


@dataclass(frozen=True)
class WatchSettings(CommandSettings):
    """Which runs to show while they go on.

    Args:
        runs: Folders of searches; of a benchmark's folder, every run inside.
        port: Of the page on this machine; left out, one that is free.
    """

    command: ClassVar[str] = "watch"
    section: ClassVar[str] = "Watch"
    reads_file: ClassVar[bool] = False
    runs: Words
    port: Port = 0


@dataclass(frozen=True)
class RunsSettings(CommandSettings):
    """Which runs to list.

    Args:
        folder: Folder that holds them, however deep.
    """

    command: ClassVar[str] = "runs"
    reads_file: ClassVar[bool] = False
    folder: Word = "runs"
