"""What is done of a contest, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Sequence

from experiments.studies.contest.searching import Record
from experiments.studies.contest.study import Task

Kind = tuple[str, str]
"""Network and contender: what decides how long an evaluation takes."""


class Progress:
    """Follows tasks as they end.

    Args:
        tasks: All that is to be run.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._total, self._done = len(tasks), 0
        self._left: dict[Kind, int] = {}
        for task in tasks:
            kind = task.network, task.contender.label
            self._left[kind] = self._left.get(kind, 0) + task.expected
        self._spent: dict[Kind, float] = {}
        self._made: dict[Kind, int] = {}
        self._began = time.perf_counter()

    def line(self, task: Task, records: Sequence[Record]) -> str:
        """Once a task is done: what it found, and the time left."""
        last, kind = records[-1], (task.network, task.contender.label)
        self._done += 1
        self._left[kind] -= task.expected
        self._spent[kind] = self._spent.get(kind, 0.0) + last.seconds
        self._made[kind] = self._made.get(kind, 0) + last.made
        passed = time.perf_counter() - self._began
        return (
            f"[{self._done}/{self._total}] {last.network} {last.budget} {last.contender} "
            f"{last.made} evaluations, seed {last.seed}: {last.accuracy:.4f} search, "
            f"{last.other:.4f} other, {last.seconds:.0f} s; {passed / 60:.1f} min so far, "
            f"about {self.left(passed) / 60:.0f} min left"
        )

    def left(self, passed: float) -> float:
        """Seconds that the rest will take, at the speed of the `passed` ones.

        Whatever is not searching, and how many searches run side by side, is in them already.
        """
        searching = sum(count * self._rate(kind) for kind, count in self._left.items())
        return searching * passed / max(sum(self._spent.values()), 1e-9)

    def _rate(self, kind: Kind) -> float:
        """Seconds an evaluation: of this kind, else of the network, else of all so far."""
        for alike in (lambda one: one == kind, lambda one: one[0] == kind[0], lambda one: True):
            known = [one for one in self._made if alike(one)]
            if known:
                made = sum(self._made[one] for one in known)
                return sum(self._spent[one] for one in known) / max(made, 1)
        return 0.0
