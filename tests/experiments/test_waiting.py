"""What is said of work that takes long."""

from __future__ import annotations

import io
import threading
import time

import pytest
from rich.console import Console

from experiments.terminal import told_if_slow


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_slow_work_is_told_and_quick_work_is_not() -> None:
    console, said = Console(file=io.StringIO()), threading.Event()
    real = console.print

    def noting(*args: object, **kwargs: object) -> None:
        real(*args, **kwargs)  # type: ignore[arg-type]
        said.set()

    console.print = noting  # type: ignore[method-assign, assignment]
    with told_if_slow(console, "tracing", after=0.0):
        assert said.wait(10)
    assert written(console) == "tracing ...\n"
    with told_if_slow(console, "again", after=60.0):
        pass
    assert written(console) == "tracing ...\n"


def test_what_fails_says_nothing_later() -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(ValueError, match="no"), told_if_slow(console, "tracing", after=0.2):
        raise ValueError("no")
    time.sleep(0.4)
    assert written(console) == ""
