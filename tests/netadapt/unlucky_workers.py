"""Workers that something happens to, once each; they tell what they try by files in a folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from amc import side_by_side

FOLDER = "FOLDER_OF_UNLUCKY_WORKERS"
"""Variable of the environment that names it."""


IN_PROCESS = side_by_side._in_process
"""As it is before anything stands in its place."""


def unlucky(parent: int, work: Any, at: int, item: Any) -> tuple[int, Any]:
    """Of the first iteration's proposals one is killed, of the second's one hangs."""
    _, _, recipe, kept = item
    folder, iteration = Path(os.environ[FOLDER]), recipe.seed
    (folder / f"try {time.perf_counter_ns()} {iteration} {kept}").touch()
    if at == 2:
        if iteration == 0 and _first(folder / "killed"):
            while not (folder / "noted 2").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        if iteration == 1 and _first(folder / "hung"):
            time.sleep(300)
    return IN_PROCESS(parent, work, at, item)


def hanging(*_: Any) -> tuple[int, Any]:
    """Never ends, in practice."""
    time.sleep(300)
    raise AssertionError


def _first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
