"""A line for work that has no steps to count, once it takes long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

PATIENCE = 3.0
"""Seconds before a person wonders what a command does."""

TRACING = "following the network's channels and proving what can be cut"


@contextmanager
def told_if_slow(console: Console, what: str, after: float = PATIENCE) -> Iterator[None]:
    """Say what is going on where it takes longer than that; nothing where it is quick."""
    timer = threading.Timer(after, console.print, (f"{what} ...",), {"soft_wrap": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
