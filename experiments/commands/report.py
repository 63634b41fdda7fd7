"""One report of several finished runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from experiments.disk import file_to_write, run_at, write_whole
from experiments.report import read_export, render
from experiments.runs import RunResult, run_folders
from experiments.settings import ReportSettings


def run(config: ReportSettings, console: Console) -> None:
    """What `amc report` does."""
    console.print(f"report: {report(config)}", soft_wrap=True)


def report(config: ReportSettings) -> Path:
    """Write the report and return its path.

    Raises:
        FileNotFoundError: if a folder holds no finished run.
        IsADirectoryError, FileExistsError: if the file is a folder, or one that a run keeps itself.
        ValueError: if a result, or what another command left beside it, cannot be read.
    """
    named = [run_at(run) for run in config.runs]
    folders = [run for folder in named for run in run_folders(folder)]
    results = [RunResult.load(folder / "result.json") for folder in folders]
    out = file_to_write(config.out or named[0] / "report.html")
    write_whole(out, render(results, exports=[read_export(folder) for folder in folders]))
    return out
