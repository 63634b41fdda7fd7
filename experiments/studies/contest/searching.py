"""One search of a contest, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amc.devices import one_thread
from amc.history import Outcome
from amc.problem import Problem
from experiments.disk import in_short, machine
from experiments.studies.accuracies import fast_accuracy
from experiments.studies.contest.material import material
from experiments.studies.contest.study import Task


@dataclass(frozen=True)
class Record:
    """Where one search was after a number of evaluations.

    Args:
        network: Short name.
        budget: As on the command line.
        contender: Its label.
        asked: Evaluations that it may make; 0 for a rule, which makes as many as it likes.
        seed: Of the search.
        made: Evaluations that it made, none of a candidate that it had seen before.
        accuracy: Of its best policy within the budget, on the images that it searched with.
        other: Of that policy, on other images.
        kept: That policy: units that stay, per group.
        curve: (number, accuracy) of each evaluation, from 1, that was better than all before it.
        seconds: From the start of the search to the last of these evaluations.
        settings: Of the contender.
        images: How many there were of each kind.
        machine: That it was made with.
    """

    network: str
    budget: str
    contender: str
    asked: int
    seed: int
    made: int
    accuracy: float
    other: float
    kept: tuple[int, ...]
    curve: tuple[tuple[int, float], ...]
    seconds: float
    settings: dict[str, Any]
    images: dict[str, int]
    machine: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What it is the result of."""
        return self.network, self.budget, self.contender, self.asked, self.seed


def keys(task: Task) -> list[tuple[object, ...]]:
    """Of the records that a task makes."""
    return [
        (task.network, task.budget, task.contender.label, asked, task.seed)
        for asked in task.evaluations or (0,)
    ]


def run_contender(task: Task) -> list[Record]:
    """Search on one thread; one record for each number of evaluations."""
    with one_thread():
        asked = material(task.network, task.budget).problem
        result = task.contender.make(task.episodes).search(asked, task.seed)
        counts = task.evaluations or (0,)
        return [_record(task, asked, result.outcomes, count) for count in counts]


def _record(task: Task, asked: Problem, outcomes: Sequence[Outcome], count: int) -> Record:
    seen = outcomes[: count or None]
    curve = best_so_far(asked, seen)
    best, shared = curve[-1], material(task.network, task.budget)
    network = asked.network(best.kept)
    return Record(
        network=task.network,
        budget=task.budget,
        contender=task.contender.label,
        asked=count,
        seed=task.seed,
        made=len(seen),
        accuracy=best.score,
        other=fast_accuracy(network, asked.graph, shared.other),
        kept=best.kept,
        curve=tuple((outcome.number + 1, outcome.score) for outcome in curve),
        seconds=round(seen[-1].seconds, 3),
        settings=task.contender.settings(),
        images=shared.images,
        machine=in_short(machine()),
    )


def best_so_far(asked: Problem, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those within the budget that were better than all before them."""
    rises: list[Outcome] = []
    for outcome in outcomes:
        better = not rises or outcome.score > rises[-1].score
        if better and asked.limits.fits(outcome.kept):
            rises.append(outcome)
    return rises
