"""The candidate that is best after fine-tuning, found by short ones.

The score after the cut ranks good policies about as a whole fine-tuning does, and a short
fine-tuning better (docs/trust.md). So a few good candidates that differ are fine-tuned for a part
of the run's epochs, the better half of them for twice as long, and so on: successive halving
(Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
AISTATS 2016), whose rounds take the same time each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

from amc.evaluation import fast_score
from amc.history import Outcome
from amc.journal import Entry, Named
from amc.parsing import Amount, Count, Number
from amc.pruning import kept_counts, plain_copy
from experiments.runs import Choice, Finalist, Interrupted, resumable
from experiments.search.bench import Bench
from experiments.search.finalists import Contender, finalists
from experiments.search.searching import Found

C = TypeVar("C")

LAST = 0.25
"""Part of the epochs that the last round has."""


@dataclass(frozen=True)
class Look(Entry):
    """A journal's entry of a finalist after a short fine-tuning.

    Args:
        score: On all held-out samples.
        steps: Gradient steps that it had.
        seconds: That it took.
    """

    kind: ClassVar[str] = "look"
    score: Number
    steps: Count
    seconds: Amount


def rounds(count: int) -> list[tuple[int, float]]:
    """How many finalists each round has, and the part of the epochs that they are given.

    Args:
        count: Finalists of the first.
    """
    sizes = [count]
    while sizes[-1] > 2:
        sizes.append(-(-sizes[-1] // 2))
    return [(size, LAST / 2 ** (len(sizes) - 1 - at)) for at, size in enumerate(sizes)]


def halve(candidates: Sequence[C], worth: Callable[[C, float], float]) -> C:
    """The winner of successive halving.

    Args:
        candidates: Two or more; of equal ones the earlier wins.
        worth: What a candidate is worth after a part of the epochs; higher is better.
    """
    left = list(candidates)
    for size, part in rounds(len(left)):
        left = sorted(left[:size], key=lambda one: -worth(one, part))
    return left[0]


def chosen(bench: Bench) -> Found:
    """What the search found, or another of its candidates that short fine-tunings put before it.

    Where the settings do not ask for that it is what the search found.

    Args:
        bench: With what the search found.

    Returns:
        What is chosen, with what it was chosen among; what the search found where that left
        nothing to choose from.

    Raises:
        Interrupted: at Ctrl-C, with the search's policy on the disk.
    """
    if not bench.config.choice.by_tuning:
        return bench.made
    path = Path(bench.config.output.out) / "policy.json"
    bench.made.policy.save(path)
    left = f"the search is done, and its policy in {path}"
    with resumable(lambda: Interrupted(left, bench.config)):
        few = _finalists(bench)
        if len(few) < 2:
            return bench.made
        looks = {one.name: list[Look]() for one in few}

        def worth(one: Contender, part: float) -> float:
            looks[one.name].append(_look(bench, one.outcome, part))
            return bench.workload.task.score.sign * looks[one.name][-1].score

        winner = halve(few, worth)
    told = tuple(_told(one, looks[one.name]) for one in few)
    choice = Choice(told, tuple(look.steps for look in looks[winner.name]), winner.name)
    found = bench.made if winner is few[0] else bench.found(winner.outcome, chosen=winner.name)
    # Of the looks, so that those of an earlier sitting count.
    seconds = sum(look.seconds for own in looks.values() for look in own)
    return replace(found, choice=choice, choose_seconds=seconds)


def _told(one: Contender, looks: Sequence[Look]) -> Finalist:
    scores = tuple(look.score for look in looks)
    return Finalist(one.name, one.outcome.kept, one.outcome.score, scores)


def _finalists(bench: Bench) -> list[Contender]:
    made, problem = bench.made, bench.problem.with_history(bench.journal)
    items = (
        replace(one, most=(made.bound if one.name in problem.measure else 1.0) * one.most)
        for one in problem.limits.items
    )
    limits = replace(problem.limits, items=tuple(items))
    first = tuple(kept_counts(made.policy, made.graph))
    whole = [one for one in made.outcomes if one.seen is None]
    within = [one for one in whole if one.kept == first or limits.fits(one.kept)]
    if all(one.kept != first for one in within):  # A strategy of the user's own may not tell it.
        return []
    count, seed = bench.config.choice.finalists, bench.config.network.seed
    return finalists(problem, within, first, count, seed)


def _look(bench: Bench, one: Outcome, part: float) -> Look:
    """A finalist after a part of the run's epochs, from the journal where it is there."""
    key = f"{one.number} {part:g}"
    noted = bench.journal.recall(Look, key)
    if noted is None:
        start = time.perf_counter()
        tuned = bench.tuned(one, Named(bench.journal, f"finalist {key}"), part)
        task, graph = bench.workload.task, bench.problem.graph
        score = fast_score(plain_copy(tuned.network), graph, task)
        noted = Look(score, tuned.steps, time.perf_counter() - start)
        bench.journal.note(key, noted)
    return noted
