"""Trying NetAdapt's proposals, each once, however often the search is cut short.

The journal has a note of every finished proposal, and the network of the iteration's best one so
far: that is stored before the note that makes it the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from amc.finetuning import Recipe
from amc.graph import Kept
from amc.history import Outcome
from amc.journal import Entry, State
from amc.parsing import Amount, Number
from amc.problem import Problem
from amc.pruning import Narrowed, Narrowing
from netadapt.trials import Trials, Tried


@dataclass(frozen=True)
class Proposal(Entry):
    """The journal's entry of a proposal that was tried, by its iteration and kept counts.

    Args:
        score: After the short fine-tuning; the worst where that diverged.
        seconds: Since the search began.
        diverged: Whether it did.
    """

    kind: ClassVar[str] = "proposal"
    score: Number
    seconds: Amount
    diverged: bool


class Place:
    """Where the loop stands: a network, made only when somebody asks for it.

    Args:
        kept: Units that are left, per group.
        best: The outcome that led here; None at the start.
        stored: The name of its network in the journal; empty at the start.
        state: Of that network, packed, where it is at hand.
    """

    def __init__(
        self, problem: Problem, kept: Kept, best: Outcome | None, stored: str, state: State | None
    ) -> None:
        self._problem, self._state = problem, state
        self._network: Narrowed | None = None
        self.kept, self.best, self.stored = kept, best, stored

    @classmethod
    def start(cls, problem: Problem) -> Place:
        """The unpruned network."""
        return cls(problem, problem.graph.full, None, "", None)

    @property
    def network(self) -> Narrowed:
        """The network with its graph.

        Raises:
            ValueError: if it was stored, and is no longer there.
        """
        if self._network is None:
            start = Narrowed.start(self._problem.model, self._problem.graph)
            self._network = Narrowed.unpack(start, self._found()) if self.stored else start
        return self._network

    def _found(self) -> State:
        state = self._state or self._problem.journal.recall_state(self.stored)
        if state is None:
            raise ValueError(
                f"the checkpoint of {self.stored!r} is gone from the run folder; begin the run "
                "anew with --overwrite"
            )
        return state


@dataclass
class Round:
    """The proposals of one iteration.

    Args:
        problem: With the journal of the search.
        place: What they narrow.
        number: Of the iteration, from 0.
        criterion: What ranks units.
        recipe: Of short fine-tuning; its seed is that of all that is random here.
        trials: What tries them.
    """

    problem: Problem
    place: Place
    number: int
    criterion: str
    recipe: Recipe
    trials: Trials
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, proposals: Sequence[Kept]) -> tuple[int, Place]:
        """Try them all; which one is the best, and where it leads.

        One whose short fine-tuning diverges does not compete, and counts as the worst.

        Args:
            proposals: Kept counts of each.

        Raises:
            FloatingPointError: if all diverge.
        """
        journal, stored = self.problem.journal, f"netadapt {self.number}"
        notes = [journal.recall(Proposal, self._key(kept)) for kept in proposals]
        self._record(proposals, notes)
        state = None
        for at, tried in self._tries(proposals, notes):
            found = self.problem.worst_score if tried.diverged else tried.score
            note = Proposal(found, self.problem.seconds, tried.diverged)
            notes[at] = note
            if self._lead(notes) == at:
                state = tried.state
                journal.note_state(stored, state)
            journal.note(self._key(proposals[at]), note)
            self._record(proposals, notes)
        lead = self._lead(notes)
        if lead is None:
            rate = self.recipe.suited(self.problem.model).lr
            raise FloatingPointError(
                f"netadapt: the short fine-tuning of every proposal of iteration {self.number} "
                f"diverged; lower its learning rate, as in --options.lr {rate / 10:g}"
            )
        journal.forget_state(self.place.stored)
        best = self.outcomes[lead]
        return lead, Place(self.problem, best.kept, best, stored, state)

    def _key(self, kept: Kept) -> str:
        return f"{self.number} {','.join(map(str, kept))}"

    def _tries(
        self, proposals: Sequence[Kept], notes: Sequence[Proposal | None]
    ) -> Iterator[tuple[int, Tried]]:
        """Those without a note, in the order in which they are finished."""
        left = [at for at, note in enumerate(notes) if note is None]
        if not left:
            return
        seed, task = self.recipe.seed, self.problem.task
        narrowing = Narrowing(self.place.network, self.criterion, task, seed)
        for at, tried in self.trials(narrowing, [proposals[at] for at in left], self.recipe):
            yield left[at], tried

    def _record(self, proposals: Sequence[Kept], notes: Sequence[Proposal | None]) -> None:
        """Count what is finished in the order of the proposals, however they were tried."""
        seconds = 0.0
        for at, note in enumerate(notes):
            if note is None:
                return
            seconds = max(seconds, note.seconds)
            if at == len(self.outcomes):
                self.outcomes.append(
                    self.problem.record(proposals[at], note.score, seconds=seconds)
                )

    def _lead(self, notes: Sequence[Proposal | None]) -> int | None:
        """The best of those finished, the first of equal ones; None where all diverged."""
        known = [(at, note) for at, note in enumerate(notes) if note and not note.diverged]
        return max(known, key=lambda one: self.problem.merit(one[1].score), default=(None,))[0]
