"""Episodes of a search, timed stage by stage: ours and the textbook's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import experiments.studies.speed.textbook as textbook
from agents import GPRolloutSearch, RolloutAgent
from amc.evaluation import fast_numbers, ready_score
from amc.graph import Kept
from amc.history import Outcome
from amc.problem import Problem
from amc.pruning import Candidates
from amc.refit import refit_layers
from amc.strategies import Surrogate
from envs import execute_action, execute_rollouts
from experiments.studies.speed.stopwatch import Function, Method, Stopwatch

FORWARD = "forward passes"
WARM = 21
"""Episodes before those that are timed: the agent's warm-up, and one more."""
REST = "rollout"
"""What no stage accounts for: the agent's answers, the states, the replay buffer."""

OURS: dict[Function | Method, str] = {
    ready_score: FORWARD,
    fast_numbers: FORWARD,
    refit_layers: "refit",
    (Candidates, "network"): "ranking and cut",
    execute_action: "bounding actions",
    execute_rollouts: "bounding actions",
    (Surrogate, "fit"): "agent's updates",
    (RolloutAgent, "imitate"): "agent's updates",
    (RolloutAgent, "_propose"): "proposed rollouts",
}
TEXTBOOK: dict[Function | Method, str] = {
    textbook.measure: FORWARD,
    textbook.refit: "refit",
    textbook.masked_network: "ranking and masks",
}


@dataclass(frozen=True)
class Episode:
    """One episode.

    Args:
        kept: The policy.
        accuracy: What was found of it.
        seconds: The whole episode.
        processor: Seconds of all cores together, which other work on the machine changes less.
        stages: Seconds of each stage; they add up to the whole.
        seen: Held-out images after which it was stopped; None for all.
    """

    kept: tuple[int, ...]
    accuracy: float
    seconds: float
    processor: float
    stages: Mapping[str, float]
    seen: int | None = None

    @property
    def outside(self) -> float:
        """Part of the time outside the forward passes, in [0, 1]."""
        return 1 - self.stages.get(FORWARD, 0.0) / self.seconds


@dataclass(frozen=True)
class Clock:
    """When an episode began.

    Args:
        since: By the clock on the wall.
        busy: By the one of all cores.
    """

    since: float = field(default_factory=time.perf_counter)
    busy: float = field(default_factory=time.process_time)

    def ended(
        self, kept: Kept, accuracy: float, watch: Stopwatch, seen: int | None = None
    ) -> Episode:
        """The episode, over now; its stages are what the watch has counted."""
        seconds, processor = time.perf_counter() - self.since, time.process_time() - self.busy
        stages = watch.taken()
        stages[REST] = seconds - sum(stages.values())
        return Episode(kept, accuracy, seconds, processor, stages, seen)


def ours(
    problem: Problem, episodes: int, seed: int = 0, *, between: Callable[[Kept], None] | None = None
) -> list[Episode]:
    """The last episodes of a search by the default agent, its warm-up over.

    An episode lasts from one evaluation's end to the next one's: the agent's updates, its rollouts,
    proposed ones included, the bounds of their actions, and the candidate's evaluation.

    Args:
        problem: What is searched.
        episodes: How many are timed.
        seed: Of the search.
        between: Called after each of them with its policy; not timed.
    """
    found: list[Episode] = []
    watch = Stopwatch()
    start = Clock()

    def note(outcome: Outcome, best: Outcome | None) -> None:
        nonlocal start
        found.append(start.ended(outcome.kept, outcome.score, watch, outcome.seen))
        if between is not None and len(found) > WARM:
            between(outcome.kept)
            watch.taken()
        start = Clock()

    with watch.watching(OURS):
        GPRolloutSearch(WARM + episodes).search(problem.with_history(on_outcome=note), seed)
    return found[-episodes:]


class ByTextbook:
    """The evaluations of policies by the textbook, as asked for; no agent walks or learns.

    Args:
        book: What evaluates.

    Attributes:
        episodes: So far.
    """

    def __init__(self, book: textbook.Textbook) -> None:
        self.episodes: list[Episode] = []
        self._book = book

    def __call__(self, kept: Kept) -> None:
        """Evaluate a policy, and time it."""
        watch = Stopwatch()
        with watch.watching(TEXTBOOK):
            start = Clock()
            accuracy = self._book.accuracy(kept)
            self.episodes.append(start.ended(kept, accuracy, watch))


def medians(episodes: Sequence[Episode]) -> dict[str, float]:
    """Median seconds of each stage."""
    names = dict.fromkeys(name for episode in episodes for name in episode.stages)
    return {name: median(one.stages.get(name, 0.0) for one in episodes) for name in names}
