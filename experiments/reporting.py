"""One report of several finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.config import ReportConfig
from experiments.files import write_whole
from experiments.report import exported, render
from experiments.results import RunResult, run_folders


def report(config: ReportConfig) -> Path:
    """Write the report and return its path.

    Raises:
        FileNotFoundError: if a folder holds no finished run.
        ValueError: if a result, or what another command left beside it, cannot be read.
    """
    named = [Path(run) for run in config.runs]
    folders = [run for folder in named for run in run_folders(folder)]
    results = [RunResult.load(folder / "result.json") for folder in folders]
    out = Path(config.out) if config.out else named[0] / "report.html"
    exports = [exported(folder) for folder in folders]
    try:
        page = render(results, exports=exports)
    except Exception as error:
        files = _unshown(folders, results, exports)
        raise ValueError(
            f"{files}: not what a run of this release leaves ({type(error).__name__}: {error}); "
            "run it again, or leave it out of the report"
        ) from error
    write_whole(out, page)
    return out


def _unshown(folders: Sequence[Path], results: Sequence[RunResult], exports: Sequence[Any]) -> str:
    """The results that cannot be shown by themselves; all of them where each one can."""
    broken = [f"{folder / 'result.json'}" for folder in folders]
    each = zip(broken, results, exports, strict=True)
    return ", ".join([name for name, *own in each if not _shown(*own)] or broken)


def _shown(result: RunResult, export: Any) -> bool:
    try:
        render([result], exports=[export])
    except Exception:
        return False
    return True
