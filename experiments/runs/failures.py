"""The reason why a run broke off, left in its folder until it is begun again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from amc.parsing import read_json, read_record
from experiments.disk import write_whole

FAILURE_FILE = "failure.json"


@dataclass(frozen=True)
class Failure:
    """Why a run broke off."""

    error: str


def failure(folder: Path) -> Failure | None:
    """What a run's folder has of it; None where it did not break off.

    Raises:
        OSError, ValueError: if it cannot be read.
    """
    path = folder / FAILURE_FILE
    if not path.is_file():
        return None
    try:
        return read_record(Failure, read_json(path.read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path}: not why a run broke off ({error}); remove it") from None


@contextmanager
def failure_kept(out: str) -> Iterator[None]:
    """Write what breaks off the work inside, Ctrl-C excepted, into the run's folder.

    The folder is there already; a reason of before goes.
    """
    path = Path(out) / FAILURE_FILE
    path.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        reason = Failure(" ".join(f"{type(error).__name__}: {error}".split()))
        with contextlib.suppress(OSError):  # such as a full disk, which may be what broke it off
            write_whole(path, json.dumps(asdict(reason)) + "\n")
        raise
