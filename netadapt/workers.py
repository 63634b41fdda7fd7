"""Trials side by side in processes of this machine, through joblib.

Results come as they are finished. Where a worker is lost or hangs, those that were still to come
are tried once more in new workers.
"""

from __future__ import annotations

import os
import pickle
import shutil
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import TimeoutError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
import torch
from joblib import Parallel, delayed

from amc.finetuning import Recipe
from amc.narrowing import Narrowing
from amc.structure import Kept
from netadapt.trials import Task, Tried, tried

TRIES = 2
"""Of a proposal whose worker is lost or hangs."""


@contextmanager
def side_by_side(task: Task, jobs: int, timeout: float) -> Iterator[SideBySide]:
    """Trials in so many processes.

    Args:
        task: Of all of them.
        jobs: Processes.
        timeout: Seconds in which one of the proposals must be finished.
    """
    with TemporaryDirectory(prefix="netadapt-", ignore_cleanup_errors=True) as folder:
        yield SideBySide(Path(folder), _written(Path(folder) / "task", task), jobs, timeout)


@dataclass(frozen=True)
class SideBySide:
    """See `side_by_side`.

    Args:
        folder: Where workers read what is too large to be sent with every proposal.
        task: The file of what is the same for all.
        jobs: Processes.
        timeout: Seconds.
    """

    folder: Path
    task: str
    jobs: int
    timeout: float

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """See `netadapt.trials.Trials`.

        Raises:
            RuntimeError: if workers are lost or hang twice.
        """
        # Each file's name is used once, as workers remember what they read.
        source = _written(self.folder / f"seed {recipe.seed}", narrowing)
        yield from self._finished(source, dict(enumerate(proposals)), recipe, TRIES)
        Path(source).unlink()

    def _finished(
        self, source: str, left: dict[int, Kept], recipe: Recipe, tries: int
    ) -> Iterator[tuple[int, Tried]]:
        try:
            with closing(self._run(source, left, recipe)) as results:
                for at, found in results:
                    del left[at]
                    yield at, found
        except (BrokenProcessPool, TimeoutError) as error:
            if tries == 1:
                raise RuntimeError(self._failure(error, len(left))) from None
            yield from self._finished(source, left, recipe, tries - 1)

    def _run(
        self, source: str, left: dict[int, Kept], recipe: Recipe
    ) -> Generator[tuple[int, Tried], None, None]:
        calls = [
            delayed(_in_worker)(self.task, source, at, kept, recipe, os.getpid())
            for at, kept in left.items()
        ]
        parallel = Parallel(
            n_jobs=self.jobs,
            return_as="generator_unordered",
            timeout=self.timeout,
            batch_size=1,
        )
        found: Generator[tuple[int, Tried], None, None] = parallel(calls)
        return found

    def _failure(self, error: Exception, left: int) -> str:
        mend = "; what is finished is kept: the same command goes on from there"
        if isinstance(error, TimeoutError):
            return (
                f"netadapt: none of {left} proposals was finished within {self.timeout:g} s, twice"
                f"{mend}; give them longer with --options.timeout, or less to do with "
                "--options.steps"
            )
        return (
            f"netadapt: a process that tried proposals was ended from outside, twice{mend}; it "
            "most likely ran out of memory: use fewer with --options.jobs"
        )


def _in_worker(
    task: str, source: str, at: int, kept: Kept, recipe: Recipe, parent: int
) -> tuple[int, Tried]:
    torch.set_num_threads(1)
    _leave_with(parent, str(Path(task).parent))
    return at, tried(_read(task), _read(source), kept, recipe)


@lru_cache(maxsize=1)
def _leave_with(parent: int, folder: str) -> None:
    """End this process, and drop the folder, when the parent is gone: killed, it cannot do so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _written(path: Path, what: object) -> str:
    path.write_bytes(cloudpickle.dumps(what))
    return str(path)


@lru_cache(maxsize=2)
def _read(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())
