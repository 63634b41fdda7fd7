"""What `amc` is, also as `python -m experiments`: obeys Ctrl-C from the start on.

Nothing is imported before that: imports take longer than a person needs to change their mind.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""As in `experiments.terminal.ctrl_c`."""


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End at once: nothing was begun."""
    os.write(2, b"amc: interrupted\n")
    os._exit(INTERRUPTED)


def run() -> NoReturn:
    """Run the command of the command line as a process of its own."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # Elsewhere it may be ignored, as by nohup.
        signal.signal(signal.SIGINT, _leave)
    from experiments.cli import run as begin

    signal.signal(signal.SIGINT, usual)
    begin()


if __name__ == "__main__":
    run()
