"""Pieces of work side by side in processes of this machine, through joblib.

What all pieces share is handed to each process once, when it begins. Results come as they are
finished. Where a process is lost or hangs, what was still to come is tried once more in new ones.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import cache
from multiprocessing import TimeoutError
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
    """What all pieces of work share; processes live as long as they are given the same one.

    Args:
        value: Anything that cloudpickle takes, functions of the user's own included.
    """

    def __init__(self, value: Any) -> None:
        self.value = value


NOTHING = Shared(None)
"""Shared by pieces that have all they need."""


def side_by_side(
    work: Callable[[S, T], R],
    items: Mapping[int, T],
    *,
    jobs: int,
    shared: Shared = NOTHING,
    timeout: float | None = None,
) -> Iterator[tuple[int, R]]:
    """The places of items and what comes of them, in any order, each when it is done.

    Args:
        work: A function of a module, called on one thread with what is shared and an item.
        items: By their places; arrays in them are memory that all processes map.
        jobs: Processes.
        shared: Of this call and others.
        timeout: Seconds in which one of the items must be finished; None waits for ever.

    Raises:
        LostWorkersError: if processes are lost, or hang, `TRIES` times.
    """
    return _finished(work, dict(items), jobs, shared, timeout, TRIES)


def _finished(
    work: Callable[[S, T], R],
    left: dict[int, T],
    jobs: int,
    shared: Shared,
    timeout: float | None,
    tries: int,
) -> Iterator[tuple[int, R]]:
    try:
        with closing(_run(work, left, jobs, shared, timeout)) as results:
            for at, found in results:
                del left[at]
                yield at, found
    except (BrokenProcessPool, TimeoutError) as error:
        if tries == 1:
            raise LostWorkersError(_failure(error, len(left), timeout)) from None
        yield from _finished(work, left, jobs, shared, timeout, tries - 1)


def _run(
    work: Callable[[S, T], R],
    left: Mapping[int, T],
    jobs: int,
    shared: Shared,
    timeout: float | None,
) -> Generator[tuple[int, R], None, None]:
    # A search that runs in one process does not wait for it.
    from joblib import Parallel, delayed

    parallel = Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        timeout=timeout,
        batch_size=1,
        mmap_mode="c",  # Tensors are made of what can be written to.
        initializer=_hold,
        initargs=(shared,),
    )
    parent = os.getpid()
    found: Generator[tuple[int, R], None, None] = parallel(
        delayed(_in_process)(parent, work, at, item) for at, item in list(left.items())
    )
    return found


def _failure(error: Exception, left: int, timeout: float | None) -> str:
    if isinstance(error, TimeoutError):
        return f"none of {left} was finished within {timeout:g} s, twice"
    return "a process was ended from outside, twice; it most likely ran out of memory"


_held: list[Any] = []
"""In a process that works: what is shared."""


def _hold(shared: Shared) -> None:
    _held[:] = [shared.value]


def _in_process(parent: int, work: Callable[[Any, T], R], at: int, item: T) -> tuple[int, R]:
    torch.set_num_threads(1)
    _leave_with(parent)
    return at, work(_held[0] if _held else None, item)


@cache
def _leave_with(parent: int) -> None:
    """End this process when the parent is gone: a parent that is killed cannot see to that."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
