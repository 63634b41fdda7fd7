"""What stopping hopeless candidates early saves, and whether another policy wins by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amc.evaluation import Race
from amc.problem import Problem
from amc.tasks import Indexed, Samples
from experiments.studies.accuracies import fast_margins, held_out
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case
from experiments.studies.speed.policies import random_policies

ERRORS = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class Searched:
    """One search over known candidates.

    Args:
        winner: Number of the best candidate that has seen all images.
        seen: Mean part of the images that candidates have seen.
        stopped: Part of the candidates that were stopped.
    """

    winner: int
    seen: float
    stopped: float


def stopping(case: Case, policies: int, searches: int) -> dict[str, Any]:
    """Replay searches with and without early stops, and return what it saves.

    All candidates are measured once on all images. Each search then meets them in an order, and the
    images in an order, of its own.

    Args:
        case: The network.
        policies: Candidates of each search.
        searches: How many.
    """
    problem = case.problem()
    kept = random_policies(problem, policies, seed=1)
    known = torch.stack([margins(problem, one) for one in kept])
    rows = []
    for error in ERRORS:
        found = [search(known, seed, error) for seed in range(searches)]
        changed = sum(one.winner != winner(known, seed) for seed, one in enumerate(found))
        rows.append(
            {
                "error": error,
                "seen": float(np.mean([one.seen for one in found])),
                "stopped": float(np.mean([one.stopped for one in found])),
                "winner_changed": changed,
            }
        )
    return {"racing": {"policies": policies, "searches": searches, "rows": rows}}


def margins(problem: Problem, kept: Sequence[int]) -> Tensor:
    """(images,) how clearly a candidate classifies each of the held-out ones."""
    return fast_margins(problem.candidate(kept), problem.graph, held_out(problem))


def order_of(candidates: int, seed: int) -> Tensor:
    """In which a search meets its candidates."""
    return torch.randperm(candidates, generator=torch.Generator().manual_seed(seed))


def winner(known: Tensor, seed: int) -> int:
    """Of a search that stops nobody: the first of the best that it meets."""
    order = order_of(len(known), seed)
    return int(order[(known[order] > 0).sum(1).argmax()])


def search(known: Tensor, seed: int, error: float) -> Searched:
    """Race candidates of known answers.

    Args:
        known: (candidates, images) how clearly each is classified.
        seed: Of the candidates' order and the images'.
        error: Of the race.
    """
    candidates, images = known.shape
    order = order_of(candidates, seed)
    race = Race(Samples(torch.arange(images), torch.zeros(images, dtype=torch.long)), error)
    results = []
    for number in order.tolist():
        own = known[number]

        def recall(samples: Indexed, own: Tensor = own) -> Tensor:
            return own[samples.held().array]

        results.append((number, race.run(recall, candidates * seed + number)))
    whole = [(number, one.score) for number, one in results if one.seen is None]
    return Searched(
        winner=max(whole, key=lambda pair: pair[1])[0],
        seen=float(np.mean([(one.seen or images) / images for _, one in results])),
        stopped=1 - len(whole) / candidates,
    )


def table(found: Mapping[str, Any]) -> str:
    """What `stopping` found, in Markdown."""
    rows, searches = found["racing"]["rows"], found["racing"]["searches"]
    heads = ["error rate", "images seen", "candidates stopped", "searches another policy won"]
    lines = [
        [
            f"{row['error']:g}",
            f"{row['seen']:.1%}",
            f"{row['stopped']:.1%}",
            f"{row['winner_changed']} of {searches}",
        ]
        for row in rows
    ]
    return markdown(heads, lines)
