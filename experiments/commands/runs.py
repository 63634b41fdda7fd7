"""`amc runs`: what the folders themselves tell of the runs in them; nothing is changed or run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from amc.history import Evaluation
from amc.parsing import read_record
from amc.tasks import ACCURACY, Score
from experiments.disk import read_yaml, run_at
from experiments.runs import (
    FAILURE_FILE,
    JOURNAL_FILE,
    RunResult,
    Scores,
    Trained,
    count_entries,
    failure,
    folders_of_benchmark,
    steps_trained,
)
from experiments.settings import RunsSettings
from experiments.terminal import cost_name, count, percent, printable, scored, shorten
from netadapt import Proposal

MARKS = ("result.json", FAILURE_FILE, JOURNAL_FILE)
"""Of these a run's folder has one at least."""

LONGEST = 200
"""Letters of what a run is."""

DEPTH = 4
"""Folders inside each other that are looked into."""


@dataclass(frozen=True)
class Listed:
    """One run.

    Args:
        folder: Where it is.
        status: finished, failed, running, interrupted or damaged.
        what: Strategy, network and data set, as far as they are known.
        result: What came out, or what went wrong.
    """

    folder: Path
    status: str
    what: str
    result: str


@dataclass(frozen=True)
class Named:
    """Of saved settings, what a run is of."""

    model: str
    dataset: str
    strategy: str = ""
    task: str | None = None


def run(config: RunsSettings, console: Console) -> None:
    """What `amc runs` does."""
    show_runs(config, console)


def show_runs(config: RunsSettings, console: Console) -> None:
    """Print a table of the runs in a folder.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    root = run_at(config.folder)
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}; name one that holds runs, as in amc runs runs")
    found = list(runs_in(root))
    if not found:
        console.print(f"no runs in {root}; `amc search --out {root}/NAME` makes one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "what", "result"):
        table.add_column(heading, overflow="fold")
    for run in found:
        name = printable(str(run.folder.relative_to(root)))
        table.add_row(*map(Text, (name, run.status, run.what, run.result)))
    console.print(table)


def runs_in(root: Path) -> Iterator[Listed]:
    """Every run at or below a folder, in the order of their names.

    A benchmark's own folder has copies of its best run's files and does not count as one more.
    """
    for name, below, files in os.walk(root):
        folder = Path(name)
        deep = len(folder.relative_to(root).parts) >= DEPTH
        below[:] = [] if deep else sorted(one for one in below if not one.startswith("."))
        if set(files) & set(MARKS) and folders_of_benchmark(folder) is None:
            yield entry(folder)


def entry(folder: Path) -> Listed:
    """What one run's folder tells."""
    try:
        return Listed(folder, *_summary(folder))
    except ValueError as error:
        return Listed(folder, "damaged", "", printable(str(error)))
    except Exception as error:  # one damaged run must not hide the others
        return Listed(folder, "damaged", "", printable(f"{type(error).__name__}: {error}"))


def _summary(folder: Path) -> tuple[str, str, str]:
    """Status, what it is, and its result.

    Raises:
        OSError, ValueError, ...: if a file cannot be read.
    """
    if broken := failure(folder):
        return "failed", _settings(folder), printable(broken.error)
    if (folder / "result.json").is_file():
        return _summary_of_result(folder)
    status = "running" if _is_held(folder / JOURNAL_FILE) else "interrupted"
    return status, _settings(folder), _so_far(folder)


def _so_far(folder: Path) -> str:
    """What a run that has no result has come to."""
    evaluations = count_entries(folder / JOURNAL_FILE, (Evaluation, Proposal))
    steps = steps_trained(folder)
    words = [count(evaluations, "evaluation")] if evaluations or not steps else []
    return ", ".join([*words, count(steps, "gradient step")] if steps else words)


def _summary_of_result(folder: Path) -> tuple[str, str, str]:
    if not (folder / "policy.json").is_file():
        reached = Trained.load(folder / "result.json").accuracy
        return "finished", _settings(folder), f"test {scored(reached.final)}"
    result = RunResult.load(folder / "result.json")
    left = [f"{percent(c.fraction)} {cost_name(name)}" for name, c in result.costs.items()][:1]
    reached = result.finetuned or result.searched
    what = f"{result.strategy}: {result.model} on {result.dataset}"
    return "finished", printable(what), f"{_told(result.score, reached)}, {', '.join(left)}"


def _told(score: Score, reached: Scores) -> str:
    """What a run has reached; an accuracy without its name."""
    where = "held out" if reached.test is None else "test"
    name = "" if score == ACCURACY else f" {printable(score.name)}"
    return f"{where}{name} {scored(reached.final)}"


def _settings(folder: Path) -> str:
    """Strategy, network and data set as the saved settings name them; empty without any."""
    if not (folder / "config.yaml").is_file():
        return ""
    path = folder / "config.yaml"
    try:
        settings = read_yaml(path)
        named = read_record(Named, settings, others=True)
    except ValueError as error:
        raise ValueError(f"{path}: not the settings of a run ({error})") from None
    strategy = named.strategy or ("policy" if "policy" in settings else "training")
    return shorten(
        printable(f"{strategy}: {named.model} on {named.task or named.dataset}"), LONGEST
    )


def _is_held(path: Path) -> bool:
    """Whether a process holds the file's lock; False where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return False
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
