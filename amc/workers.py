"""Who measures the candidates of a batch: this process, or several side by side.

Both give the same scores to the last bit: a candidate of a batch is measured on one thread wherever
that happens, because sums over several threads round differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from amc.devices import one_thread
from amc.evaluation import Measured
from amc.evaluator import Evaluator
from amc.graph import Kept
from amc.side_by_side import LostWorkersError, Shared, side_by_side

HANGS = 600.0
"""Seconds in which one of the candidates that are measured must be finished."""


class Workers(Protocol):
    """Measures candidates."""

    def __call__(
        self, evaluator: Evaluator, candidates: Sequence[Kept]
    ) -> Iterator[tuple[int, Measured]]:
        """Each one's place and score, in any order, when it is done.

        Args:
            evaluator: The same for all calls of one search.
            candidates: Kept counts.
        """
        ...


@dataclass(frozen=True)
class InTurn:
    """One after the other, in this process."""

    def __call__(
        self, evaluator: Evaluator, candidates: Sequence[Kept]
    ) -> Iterator[tuple[int, Measured]]:
        """See `Workers`."""
        for at, kept in enumerate(candidates):
            yield at, measured(evaluator, kept)


@dataclass
class Processes:
    """Several processes of this machine, to which the network and its samples are given once.

    Args:
        count: Processes.
        timeout: Seconds in which one candidate must be finished.
    """

    count: int
    timeout: float = HANGS
    _given: tuple[Evaluator, Shared] | None = field(default=None, init=False, repr=False)

    def __call__(
        self, evaluator: Evaluator, candidates: Sequence[Kept]
    ) -> Iterator[tuple[int, Measured]]:
        """See `Workers`.

        Raises:
            LostWorkersError: if processes are lost or hang twice.
        """
        if self._given is None or self._given[0] is not evaluator:
            self._given = evaluator, Shared(evaluator.for_scoring())
        items = dict(enumerate(candidates))
        try:
            yield from side_by_side(
                measured,
                items,
                jobs=self.count,
                shared=self._given[1],
                timeout=self.timeout,
            )
        except LostWorkersError as error:
            raise LostWorkersError(
                f"--workers {self.count}: {error}; what is finished is kept, and the same command "
                "goes on from there; fewer workers need less memory"
            ) from None


def measured(evaluator: Evaluator, kept: Kept) -> Measured:
    """The score of one candidate, on one thread."""
    with one_thread():
        return evaluator.whole(kept)
