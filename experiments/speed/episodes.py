"""Episodes of a search, timed stage by stage: ours and the textbook's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import amc.candidates
import amc.problem
import amc.surgery
import envs.pruning_env
import experiments.speed.textbook as textbook
from agents import AmcDDPG, DDPGSearch
from agents.reward_model import RewardModel
from amc.problem import Outcome, Problem
from experiments.speed.stopwatch import Place, Stopwatch

FORWARD = "forward passes"
WARM = 21
"""Episodes before those that are timed: the agent's warm-up, and one more."""
REST = "walk"
"""What no stage accounts for: the agent's answers, the states, the replay buffer."""

OURS: dict[Place, str] = {
    (amc.problem, "fast_hits"): FORWARD,
    (amc.surgery, "refit_layers"): "refit",
    (amc.candidates.Candidates, "network"): "ranking and cut",
    (envs.pruning_env, "project"): "projection",
    (RewardModel, "learn"): "agent's updates",
    (AmcDDPG, "_imitate"): "agent's updates",
    (AmcDDPG, "_imagined"): "imagined walks",
}
TEXTBOOK: dict[Place, str] = {
    (textbook, "measured"): FORWARD,
    (textbook, "refit"): "refit",
    (textbook, "masked"): "ranking and masks",
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


def ours(problem: Problem, episodes: int, seed: int = 0) -> list[Episode]:
    """The last episodes of a search by the default agent, its warm-up over.

    An episode lasts from one evaluation's end to the next one's: the agent's updates, its walks,
    imagined ones included, their projection onto the budget, and the candidate's evaluation.
    """
    found: list[Episode] = []
    watch, since, busy = Stopwatch(), time.perf_counter(), time.process_time()

    def note(outcome: Outcome, best: Outcome | None) -> None:
        nonlocal since, busy
        seconds, stages = time.perf_counter() - since, watch.taken()
        processor = time.process_time() - busy
        stages[REST] = seconds - sum(stages.values())
        found.append(
            Episode(outcome.kept, outcome.accuracy, seconds, processor, stages, outcome.seen)
        )
        since, busy = time.perf_counter(), time.process_time()

    problem.on_outcome = note
    with watch.watching(OURS):
        DDPGSearch(WARM + episodes).search(problem, seed)
    problem.on_outcome = None
    return found[-episodes:]


def by_textbook(book: textbook.Textbook, policies: Sequence[tuple[int, ...]]) -> list[Episode]:
    """The evaluations of these policies; no agent walks or learns."""
    found = []
    watch = Stopwatch()
    with watch.watching(TEXTBOOK):
        for kept in policies:
            start, busy = time.perf_counter(), time.process_time()
            accuracy = book.accuracy(kept)
            seconds, processor = time.perf_counter() - start, time.process_time() - busy
            stages = watch.taken()
            stages[REST] = seconds - sum(stages.values())
            found.append(Episode(kept, accuracy, seconds, processor, stages))
    return found


def medians(episodes: Sequence[Episode]) -> dict[str, float]:
    """Median seconds of each stage."""
    names = dict.fromkeys(name for episode in episodes for name in episode.stages)
    return {name: median(one.stages.get(name, 0.0) for one in episodes) for name in names}
