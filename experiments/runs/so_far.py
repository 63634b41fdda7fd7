"""The best that a search has found so far, beside its journal, for whoever watches it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from experiments.runs.results import RunResult

SO_FAR = "so-far.json"
"""A result like any other, of a network that the search may still leave behind."""

EVERY = 1.0
"""Seconds between two of them, at least."""

SHARE = 20
"""Of what writing one takes, so many times pass before the next, at least."""


class SoFar:
    """Writes them, neither too often nor so long that a search feels it.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._next = folder / SO_FAR, 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() >= self._next

    def write(self, make: Callable[[], RunResult]) -> None:
        """Write one; where that is not possible a search goes on without, as it is for show.

        Args:
            make: It.
        """
        start = time.monotonic()
        with suppress(OSError, TypeError, ValueError):
            make().save(self._path)
        end = time.monotonic()
        self._next = end + max(EVERY, SHARE * (end - start))


def latest_of(folder: Path) -> tuple[RunResult | None, bool]:
    """What a run has come to, and whether that is its end; None where that is nothing yet.

    Args:
        folder: Of the run.

    Raises:
        ValueError: if it cannot be read.
    """
    done = folder / "result.json"
    if done.is_file():
        return RunResult.load(done), True
    try:
        return RunResult.load(folder / SO_FAR), False
    except FileNotFoundError:  # Nothing yet, or it ended this very moment.
        return (RunResult.load(done), True) if done.is_file() else (None, False)
