"""What a person sees while a command works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_SECONDS = 10.0


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
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(title, total=total, note="")

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
        if self._bar is not None:
            self._bar.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._said >= LINE_EVERY_SECONDS or done == self._total:
            self._say()

    def _say(self) -> None:
        of = f"/{self._total}" if self._total else ""
        line = f"{self._title}: {self._done}{of}, {self._note}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._said, self._unsaid = time.monotonic(), False
