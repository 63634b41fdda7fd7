"""Trying NetAdapt's proposals, each once, however often the search is cut short.

The journal has a note of every finished proposal, and the network of the iteration's best one so
far: that is stored before the note that makes it the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from amc.evaluation import fast_accuracy
from amc.finetuning import Recipe, fit
from amc.masks import plain_copy
from amc.narrowing import Narrowed, Narrowing
from amc.problem import Outcome, Problem
from amc.structure import Kept


class Place:
    """Where the loop stands: a network, read from the journal only when somebody asks for it.

    Args:
        kept: Units that are left, per group.
        best: The outcome that led here; None at the start.
        stored: The name of its network in the journal.
        network: The network itself, where it is at hand.
    """

    def __init__(
        self,
        problem: Problem,
        kept: Kept,
        best: Outcome | None,
        stored: str,
        network: Narrowed | None,
    ) -> None:
        self._problem, self._network = problem, network
        self.kept, self.best, self.stored = kept, best, stored

    @classmethod
    def start(cls, problem: Problem) -> Place:
        """The unpruned network."""
        whole = Narrowed.start(problem.model, problem.graph)
        return cls(problem, whole.kept, None, "", whole)

    @property
    def network(self) -> Narrowed:
        """The network with its graph.

        Raises:
            ValueError: if it was stored, and is no longer there.
        """
        if self._network is None:
            state = self._problem.journal.recall_state(self.stored)
            if state is None:
                raise ValueError(
                    f"the checkpoint of {self.stored!r} is gone from the run folder; begin the run "
                    "anew with --overwrite"
                )
            start = Narrowed.start(self._problem.model, self._problem.graph)
            self._network = Narrowed.unpacked(start, state)
        return self._network


@dataclass
class Round:
    """The proposals of one iteration.

    Args:
        problem: With the journal of the search.
        place: What they narrow.
        number: Of the iteration, from 0.
        criterion: What ranks units.
        recipe: Of short fine-tuning; its seed is that of all that is random here.
        steps: Of that.
    """

    problem: Problem
    place: Place
    number: int
    criterion: str
    recipe: Recipe
    steps: int
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, proposals: Sequence[Kept]) -> tuple[int, Place]:
        """Try them all; which one is the most accurate, and where it leads.

        One whose short fine-tuning diverges does not compete, and counts as accuracy 0.

        Args:
            proposals: Kept counts of each.

        Raises:
            FloatingPointError: if all diverge.
        """
        journal, stored = self.problem.journal, f"netadapt {self.number}"
        noted = [journal.recall(self._name(kept)) for kept in proposals]
        fresh = self._tries(
            [kept for kept, found in zip(proposals, noted, strict=True) if found is None]
        )
        lead, network = -1, None
        for at, (kept, found) in enumerate(zip(proposals, noted, strict=True)):
            smaller = None
            if found is None:
                found, smaller = next(fresh)
            outcome = self.problem.record(kept, found["accuracy"], seconds=found.get("seconds"))
            self.outcomes.append(outcome)
            leads = lead < 0 or outcome.accuracy > self.outcomes[lead].accuracy
            if leads and not found["diverged"]:
                lead, network = at, smaller
            if smaller is not None:
                if lead == at:
                    journal.note_state(stored, smaller.packed())
                journal.note(self._name(kept), {**found, "seconds": outcome.seconds})
        if lead < 0:
            raise FloatingPointError(
                f"netadapt: the short fine-tuning of every proposal of iteration {self.number} "
                f"diverged; lower its learning rate, as in --options.lr {self.recipe.lr / 10:g}"
            )
        journal.forget_state(self.place.stored)
        best = self.outcomes[lead]
        return lead, Place(self.problem, best.kept, best, stored, network)

    def _name(self, kept: Kept) -> str:
        return f"proposal {self.number} {','.join(map(str, kept))}"

    def _tries(self, proposals: Sequence[Kept]) -> Iterator[tuple[Mapping[str, Any], Narrowed]]:
        """What is to be noted of each, and its network."""
        for kept in proposals:
            smaller = self._narrowing.to(kept)
            yield self._tried(smaller), smaller

    @cached_property
    def _narrowing(self) -> Narrowing:
        return Narrowing(
            self.place.network, self.criterion, self.problem.calibration, self.recipe.seed
        )

    def _tried(self, smaller: Narrowed) -> Mapping[str, Any]:
        train, holdout = self.problem.train, self.problem.holdout
        try:
            if train is not None and self.steps:
                fit(smaller.network, train, self.recipe, steps=self.steps)
        except FloatingPointError:
            return {"accuracy": 0.0, "diverged": True}
        # The fast path changes its network, and this one may go on.
        measured = fast_accuracy(plain_copy(smaller.network), smaller.graph, holdout)
        return {"accuracy": measured, "diverged": False}
