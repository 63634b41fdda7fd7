"""Trying proposals: narrow, tune and measure each; one after another, or in `netadapt.workers`.

Both give the same result to the last bit. A proposal is narrowed and tuned on one thread wherever
that happens, because sums over several threads round differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from amc.devices import one_thread
from amc.evaluation import fast_accuracy
from amc.finetuning import Recipe, fit
from amc.graph import Kept
from amc.journal import State
from amc.pruning import Narrowing, plain_copy
from amc.tasks import Samples


@dataclass(frozen=True)
class Task:
    """What is the same for every proposal of a search.

    Args:
        train: Samples of the short fine-tuning; None leaves it out.
        holdout: Samples that accuracy is measured on.
        steps: Gradient steps of the short fine-tuning.
    """

    train: Samples | None
    holdout: Samples
    steps: int


@dataclass(frozen=True)
class Tried:
    """What came of one proposal.

    Args:
        accuracy: On the held-out samples; 0 where it diverged.
        diverged: Whether its short fine-tuning did.
        state: Of its network, packed (`amc.pruning.narrowing.Narrowed`).
    """

    accuracy: float
    diverged: bool
    state: State


class Trials(Protocol):
    """Tries some of an iteration's proposals."""

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """Each one's place in `proposals` and what came of it, in any order, when it is done."""
        ...


@dataclass(frozen=True)
class InTurn:
    """Trials in this process."""

    task: Task

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """See `Trials`."""
        for at, kept in enumerate(proposals):
            yield at, try_proposal(self.task, narrowing, kept, recipe)


def try_proposal(task: Task, narrowing: Narrowing, kept: Kept, recipe: Recipe) -> Tried:
    """Narrow, tune and measure one proposal; one that diverges has accuracy 0."""
    with one_thread():
        smaller = narrowing.to(kept)
        try:
            if task.train is not None and task.steps:
                fit(smaller.network, task.train, recipe, steps=task.steps)
        except FloatingPointError:
            return Tried(0.0, True, smaller.pack())
    # The fast path changes its network, and this one may go on.
    measured = fast_accuracy(plain_copy(smaller.network), smaller.graph, task.holdout)
    return Tried(measured, False, smaller.pack())
