"""Ctrl-C that is obeyed in time, also while one long call of a library runs."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

PATIENCE_SECONDS = 1.0
"""How long Python has for an orderly end; it waits for the call to return first."""


@contextmanager
def stop_in_time(last: Callable[[], str], seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
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
    ended, interrupted = threading.Event(), threading.Event()

    def watch() -> None:
        # The system's own handler writes each signal's number, whatever Python is busy with.
        while told := reads.recv(1):
            if told[0] != signal.SIGINT:
                continue
            interrupted.set()
            if not ended.wait(seconds):
                print(f"amc: {last()}", file=sys.stderr, flush=True)
                os._exit(INTERRUPTED)

    before = signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        try:
            yield
        finally:
            ended.set()
            signal.set_wakeup_fd(before)
            writes.close()
            watcher.join()
            reads.close()
    except Exception:
        # A library that is interrupted while it is imported makes another error of it.
        if interrupted.is_set():
            raise KeyboardInterrupt from None
        raise


def leave(code: int) -> NoReturn:
    """End the process; after Ctrl-C at once, as nothing is left to write.

    Taking apart all that was imported costs a busy machine seconds, in which it would seem stuck.
    What is registered to be done at the end, such as dropping temporary folders, is done first.
    """
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        last = threading.Timer(PATIENCE_SECONDS / 2, os._exit, (code,))
        last.daemon = True
        last.start()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
