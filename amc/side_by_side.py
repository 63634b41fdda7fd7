"""Pieces of work side by side in processes of this machine, through joblib.

What all pieces share is written to a file once and read once by every process. Results come as they
are finished. Where a process is lost or hangs, what was still to come is tried once more in new
ones.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import cache, lru_cache
from multiprocessing import TimeoutError
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

TRIES = 2
"""Of a piece whose process is lost or hangs."""


class LostWorkersError(RuntimeError):
    """Processes were ended from outside, or hung, each time."""


class Shared:
    """What all pieces of work share, in a file that goes with this object.

    Args:
        value: Anything that cloudpickle takes, functions of the user's own included.
    """

    def __init__(self, value: Any) -> None:
        # Only a search that has helpers needs it.
        import cloudpickle

        handle, name = tempfile.mkstemp(prefix="amc-", suffix=".shared")
        with os.fdopen(handle, "wb") as file:
            cloudpickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        self.path = Path(name)
        self._end = weakref.finalize(self, self.path.unlink, missing_ok=True)


def side_by_side(
    work: Callable[[S, T], R],
    shared: Shared,
    items: Mapping[int, T],
    *,
    jobs: int,
    timeout: float | None = None,
) -> Iterator[tuple[int, R]]:
    """The places of items and what comes of them, in any order, each when it is done.

    Args:
        work: A function of a module, called on one thread with what is shared and an item.
        shared: Of this call and others.
        items: By their places.
        jobs: Processes.
        timeout: Seconds in which one of the items must be finished; None waits for ever.

    Raises:
        LostWorkersError: if processes are lost, or hang, `TRIES` times.
    """
    return _finished(work, shared, dict(items), jobs, timeout, TRIES)


def _finished(
    work: Callable[[S, T], R],
    shared: Shared,
    left: dict[int, T],
    jobs: int,
    timeout: float | None,
    tries: int,
) -> Iterator[tuple[int, R]]:
    try:
        with closing(_run(work, shared, left, jobs, timeout)) as results:
            for at, found in results:
                del left[at]
                yield at, found
    except (BrokenProcessPool, TimeoutError) as error:
        if tries == 1:
            raise LostWorkersError(_failure(error, len(left), timeout)) from None
        yield from _finished(work, shared, left, jobs, timeout, tries - 1)


def _run(
    work: Callable[[S, T], R],
    shared: Shared,
    left: Mapping[int, T],
    jobs: int,
    timeout: float | None,
) -> Generator[tuple[int, R], None, None]:
    # A search that runs in one process does not wait for it.
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", timeout=timeout, batch_size=1)
    parent, path = os.getpid(), str(shared.path)
    found: Generator[tuple[int, R], None, None] = parallel(
        delayed(_in_process)(parent, work, path, at, item) for at, item in list(left.items())
    )
    return found


def _failure(error: Exception, left: int, timeout: float | None) -> str:
    if isinstance(error, TimeoutError):
        return f"none of {left} was finished within {timeout:g} s, twice"
    return "a process was ended from outside, twice; it most likely ran out of memory"


def _in_process(
    parent: int, work: Callable[[S, T], R], path: str, at: int, item: T
) -> tuple[int, R]:
    torch.set_num_threads(1)
    _leave_with(parent)
    return at, work(_read(path), item)


@lru_cache(maxsize=1)
def _read(path: str) -> Any:
    with open(path, "rb") as file:
        return pickle.load(file)


@cache
def _leave_with(parent: int) -> None:
    """End this process when the parent is gone: a parent that is killed cannot see to that."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
