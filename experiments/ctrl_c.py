"""Ctrl-C that is obeyed in time, also while one long call of a library runs."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

PATIENCE_SECONDS = 1.5
"""How long Python has for an orderly end; it waits for the call to return first."""


@contextmanager
def stopped_in_time(last: Callable[[], str], seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Within, Ctrl-C raises KeyboardInterrupt as ever, or ends the process where that cannot be.

    A gradient of a large network is one call of many seconds, which Python does not interrupt.

    Args:
        last: Done first then, in a thread of its own; says what is left.
        seconds: After Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    ended = threading.Event()

    def watch() -> None:
        # The system's own handler writes each signal's number, whatever Python is busy with.
        while told := reads.recv(1):
            if told[0] == signal.SIGINT and not ended.wait(seconds):
                print(f"amc: {last()}", file=sys.stderr, flush=True)
                os._exit(INTERRUPTED)

    before = signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        writes.close()
        watcher.join()
        reads.close()
