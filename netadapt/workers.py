"""Trials side by side in processes of this machine, through joblib.

Results come as they are finished. Where a worker is lost or hangs, those that were still to come
are tried once more in new workers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from multiprocessing import TimeoutError

import torch
from joblib import Parallel, delayed

from amc.finetuning import Recipe
from amc.graph import Kept
from amc.pruning import Narrowing
from netadapt.trials import Terms, Tried, try_proposal

TRIES = 2
"""Of a proposal whose worker is lost or hangs."""


@dataclass(frozen=True)
class SideBySide:
    """Trials in several processes.

    Args:
        terms: Of all of them.
        jobs: Processes.
        timeout: Seconds in which one of the proposals must be finished.
    """

    terms: Terms
    jobs: int
    timeout: float

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """See `netadapt.trials.Trials`.

        Raises:
            RuntimeError: if workers are lost or hang twice.
        """
        return self._finished(narrowing, dict(enumerate(proposals)), recipe, TRIES)

    def _finished(
        self, narrowing: Narrowing, left: dict[int, Kept], recipe: Recipe, tries: int
    ) -> Iterator[tuple[int, Tried]]:
        try:
            with closing(self._run(narrowing, left, recipe)) as results:
                for at, found in results:
                    del left[at]
                    yield at, found
        except (BrokenProcessPool, TimeoutError) as error:
            if tries == 1:
                raise RuntimeError(self._failure(error, len(left))) from None
            yield from self._finished(narrowing, left, recipe, tries - 1)

    def _run(
        self, narrowing: Narrowing, left: dict[int, Kept], recipe: Recipe
    ) -> Generator[tuple[int, Tried], None, None]:
        parallel = Parallel(
            n_jobs=self.jobs,
            return_as="generator_unordered",
            timeout=self.timeout,
            batch_size=1,
            mmap_mode="c",  # Tensors are made of what can be written to.
        )
        parent = os.getpid()
        found: Generator[tuple[int, Tried], None, None] = parallel(
            delayed(_in_worker)(parent, at, self.terms, narrowing, kept, recipe)
            for at, kept in list(left.items())
        )
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
    parent: int, at: int, terms: Terms, narrowing: Narrowing, kept: Kept, recipe: Recipe
) -> tuple[int, Tried]:
    torch.set_num_threads(1)
    _leave_with(parent)
    return at, try_proposal(terms, narrowing, kept, recipe)


@cache
def _leave_with(parent: int) -> None:
    """End this process when the parent is gone: a parent that is killed cannot see to that."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
