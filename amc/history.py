"""What one search has come to: its outcomes, what it need not evaluate again, and its clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from amc.graph import Kept
from amc.journal import BLANK, Entry, Journal
from amc.parsing import Amount, Count, Number, Positive


@dataclass(frozen=True)
class Evaluation(Entry):
    """A journal's entry of an evaluation, by its kept counts.

    Args:
        score: As in `Outcome`.
        seconds: As in `Outcome`.
        seen: As in `Outcome`.
    """

    kind: ClassVar[str] = "evaluation"
    score: Number
    seconds: Amount
    seen: Count | None = None


@dataclass(frozen=True)
class DeviceCost(Entry):
    """A journal's entry of a network that was measured on the device.

    Args:
        cost: In the cost's unit.
    """

    kind: ClassVar[str] = "measured"
    cost: Positive


FLOOR = 0.02
"""Merit that is missing even of the best network: a point matters as much at 0.9 as ten at 0.5."""


@dataclass(frozen=True)
class Outcome:
    """One evaluated candidate.

    Args:
        number: Of the evaluation, from 0.
        kept: Units that stay, per group.
        score: The task's number, on the held-out samples.
        costs: Each cost by its short name, in its unit.
        seconds: Since the search began.
        seen: Held-out samples after which it was stopped as hopeless, so that its score is an
            estimate (`amc.evaluation.racing`); None where it has seen all.
        merit: The score on the scale that searches go by, in [0, 1]; higher is better
            (`amc.tasks.Score.merit`). Left out, the score itself, as of an accuracy.
    """

    number: int
    kept: Kept
    score: float
    costs: Mapping[str, float]
    seconds: float
    seen: int | None = None
    merit: float = math.nan

    def __post_init__(self) -> None:
        if math.isnan(self.merit):
            object.__setattr__(self, "merit", self.score)

    @property
    def worth(self) -> float:
        """What is learned of its merit: the negative logarithm of what is missing, and of `FLOOR`.

        Racing's estimates may be above what is possible, and count as nothing missing.
        """
        return -math.log(max(1 - self.merit, 0.0) + FLOOR)


OnOutcome = Callable[[Outcome], None]


class History:
    """The memory of one search; no two problems share one.

    Args:
        journal: Where finished evaluations and measurements are noted and looked up.
        on_outcome: Called with each new outcome.
    """

    def __init__(self, journal: Journal = BLANK, on_outcome: OnOutcome | None = None) -> None:
        self.journal, self.on_outcome = journal, on_outcome
        self._known: dict[Kept, Outcome] = {}
        self._outcomes: list[Outcome] = []
        self._start = time.perf_counter()

    def fork(self) -> History:
        """One that remembers the same, and is told and forgets for itself from now on."""
        other = History(self.journal, self.on_outcome)
        other._known, other._outcomes = dict(self._known), list(self._outcomes)
        other._start = self._start
        return other

    def restart(self) -> None:
        """Forget all outcomes and start the clock; what the journal has stays there."""
        self._known.clear()
        self._outcomes.clear()
        self._start = time.perf_counter()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All evaluations so far, in order."""
        return tuple(self._outcomes)

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return time.perf_counter() - self._start

    def recall(self, kept: Kept) -> Outcome | None:
        """What was found of these kept counts; None where nothing was."""
        return self._known.get(kept)

    def remember(self, outcome: Outcome) -> Outcome:
        """Answer with this one where its kept counts are asked for again."""
        self._known[outcome.kept] = outcome
        return outcome

    def add(
        self,
        kept: Kept,
        score: float,
        merit: float,
        costs: Mapping[str, float],
        seen: int | None = None,
        seconds: float | None = None,
    ) -> Outcome:
        """Count an evaluation.

        Args:
            kept: Units that stay, per group.
            score: See `Outcome`.
            merit: See `Outcome`.
            costs: See `Outcome`.
            seen: See `Outcome`.
            seconds: Since the search began, of one that a journal tells of: the clock goes on from
                there. None reads the clock.
        """
        if seconds is not None:
            self._start = time.perf_counter() - seconds
        taken = self.seconds if seconds is None else seconds
        outcome = Outcome(len(self._outcomes), kept, score, costs, taken, seen, merit)
        self._outcomes.append(outcome)
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        return outcome
