"""What a person sees while a command works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from experiments.terminal.formats import duration

LINE_EVERY_SECONDS = 10.0
RECENT = 50
"""Updates that speed is taken from: long enough to be steady, short enough to be true."""


class Pace:
    """How fast work goes lately."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def note(self, done: int) -> None:
        """That so many steps are done now."""
        self._recent.append((time.monotonic(), done))

    def per_second(self) -> float | None:
        """Steps a second; None where that cannot be told yet."""
        if not self._recent:
            return None
        (began, first), (now, last) = self._recent[0], self._recent[-1]
        return (last - first) / (now - began) if now > began and last > first else None

    def words(self, left: int | None) -> str:
        """The pace, and the time that so many steps will take; empty where it cannot be told."""
        speed = self.per_second()
        if speed is None:
            return ""
        return f"{speed:.3g}/s" + (f", {duration(left / speed)} left" if left else "")


class Reporter:
    """One piece of long work.

    Args:
        title: What is going on.
        total: Steps in all, at most: work that is done with fewer ends whole. None where that is
            not known.
        console: Where to write.
    """

    def __init__(self, title: str, total: int | None, console: Console) -> None:
        self._title, self._total, self._console = title, total, console
        self._said = time.monotonic()
        self._done, self._note, self._unsaid = 0, "", False
        self._bar: Progress | None = None
        self._pace = Pace()
        self._pace.note(0)
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}"),
                TextColumn("{task.fields[note]}", markup=False),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(title, total=total, note="", pace="")

    def __enter__(self) -> Reporter:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._total and 0 < self._done < self._total:
            self._total, self._unsaid = self._done, True
        if self._bar is not None:
            self._bar.update(self._task, total=self._total)
            self._bar.stop()
        elif self._unsaid:
            self._say()

    def update(self, done: int, note: str) -> None:
        """Show that `done` steps are done, with a word on how it stands."""
        self._done, self._note, self._unsaid = done, note, True
        self._pace.note(done)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, note=note, pace=self._paced())
        elif time.monotonic() - self._said >= LINE_EVERY_SECONDS or done == self._total:
            self._say()

    def _paced(self) -> str:
        left = max(0, self._total - self._done) if self._total else None
        return self._pace.words(left)

    def _say(self) -> None:
        of = f"/{self._total}" if self._total else ""
        told = [f"{self._title}: {self._done}{of}", self._note, self._paced()]
        line = ", ".join(word for word in told if word)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._said, self._unsaid = time.monotonic(), False
