"""The reason why a run broke off, left in its folder until it is begun again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.files import write_whole

FILE = "failure.json"


@contextmanager
def failure_kept(out: str) -> Iterator[None]:
    """Write what breaks off the work inside, Ctrl-C excepted, into the run's folder.

    The folder is there already; a reason of before goes.
    """
    path = Path(out) / FILE
    path.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        reason = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        with contextlib.suppress(OSError):  # such as a full disk, which may be what broke it off
            write_whole(path, json.dumps(reason) + "\n")
        raise
