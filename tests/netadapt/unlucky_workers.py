"""Workers that something happens to, once each; they tell what they try by files in a folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from amc.finetuning import Recipe
from amc.graph import Kept
from netadapt import workers
from netadapt.trials import Tried

FOLDER = "FOLDER_OF_UNLUCKY_WORKERS"
"""Variable of the environment that names it."""


def unlucky(
    parent: int, at: int, task: Any, narrowing: Any, kept: Kept, recipe: Recipe
) -> tuple[int, Tried]:
    """Of the first iteration's proposals one is killed, of the second's one hangs."""
    folder, iteration = Path(os.environ[FOLDER]), recipe.seed
    (folder / f"try {time.perf_counter_ns()} {iteration} {kept}").touch()
    if at == 2:
        if iteration == 0 and _first(folder / "killed"):
            while not (folder / "noted 2").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        if iteration == 1 and _first(folder / "hung"):
            time.sleep(300)
    return workers._in_worker(parent, at, task, narrowing, kept, recipe)


def hanging(*_: Any) -> tuple[int, Tried]:
    """Never ends, in practice."""
    time.sleep(300)
    raise AssertionError


def _first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
