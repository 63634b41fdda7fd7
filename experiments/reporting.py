"""One report of several finished runs."""

from __future__ import annotations

from pathlib import Path

from experiments.config import ReportConfig
from experiments.files import write_whole
from experiments.report import render
from experiments.results import load_runs


def report(config: ReportConfig) -> Path:
    """Write the report and return its path.

    Raises:
        FileNotFoundError: if a folder holds no finished run.
        ValueError: if a result cannot be read.
    """
    folders = [Path(run) for run in config.runs]
    results = [result for folder in folders for result in load_runs(folder)]
    out = Path(config.out) if config.out else folders[0] / "report.html"
    write_whole(out, render(results))
    return out
