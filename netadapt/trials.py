"""Trying proposals: narrow, tune and measure each; one after another, or in `netadapt.workers`.

Both give the same result to the last bit. A proposal is narrowed and tuned on one thread wherever
that happens, because sums over several threads round differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from amc.devices import one_thread
from amc.evaluation import fast_score
from amc.finetuning import Recipe, tune
from amc.graph import Kept
from amc.journal import State
from amc.pruning import Narrowing, plain_copy
from amc.tasks import Task


@dataclass(frozen=True)
class Terms:
    """What is the same for every proposal of a search.

    Args:
        task: Its data, its score, and its own fine-tuning where it has one.
        steps: Gradient steps of the short fine-tuning; 0 leaves it out.
    """

    task: Task
    steps: int


@dataclass(frozen=True)
class Tried:
    """What came of one proposal.

    Args:
        score: The task's; 0 where it diverged.
        diverged: Whether its short fine-tuning did.
        state: Of its network, packed (`amc.pruning.narrowing.Narrowed`).
    """

    score: float
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

    terms: Terms

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """See `Trials`."""
        for at, kept in enumerate(proposals):
            yield at, try_proposal(self.terms, narrowing, kept, recipe)


def try_proposal(terms: Terms, narrowing: Narrowing, kept: Kept, recipe: Recipe) -> Tried:
    """Narrow, tune and measure one proposal; one that diverges has no score."""
    with one_thread():
        smaller = narrowing.to(kept)
        try:
            if terms.steps:
                network = tune(smaller.network, terms.task, recipe, steps=terms.steps)
                smaller = replace(smaller, network=network)
        except FloatingPointError:
            return Tried(0.0, True, smaller.pack())
    # The fast path changes its network, and this one may go on.
    measured = fast_score(plain_copy(smaller.network), smaller.graph, terms.task)
    return Tried(measured, False, smaller.pack())
