"""Which policies of a search are fine-tuned: some from the whole range of its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amc.history import Outcome


def sample_by_rank(outcomes: Sequence[Outcome], count: int, seed: int) -> list[Outcome]:
    """`count` of the outcomes from all of the range of their merits, the best among them.

    Beside the best, the range is cut into parts of one width, and each gives one outcome, drawn at
    random. A part that holds none leaves its place to the fullest of the others.

    Args:
        outcomes: To draw from; of equal kept counts the first counts.
        count: At least 2; all outcomes where there are no more.
        seed: Of the draws.

    Returns:
        In ascending order of merit.
    """
    different = list({outcome.kept: outcome for outcome in reversed(outcomes)}.values())
    ordered = sorted(different, key=lambda outcome: (outcome.merit, -outcome.number))
    if len(ordered) <= count:
        return ordered
    *others, best = ordered
    parts, random = _parts(others, count - 1), np.random.default_rng(seed)
    chosen = [part.pop(int(random.integers(len(part)))) for part in parts if part]
    while len(chosen) < count - 1:
        fullest = max(parts, key=len)
        chosen.append(fullest.pop(int(random.integers(len(fullest)))))
    return sorted([*chosen, best], key=lambda outcome: (outcome.merit, -outcome.number))


def _parts(ordered: Sequence[Outcome], count: int) -> list[list[Outcome]]:
    """The outcomes in each part of their range."""
    merits = np.array([outcome.merit for outcome in ordered])
    edges = np.linspace(merits[0], merits[-1], count + 1)[1:-1]
    parts: list[list[Outcome]] = [[] for _ in range(count)]
    for outcome, at in zip(ordered, np.searchsorted(edges, merits, "right"), strict=True):
        parts[at].append(outcome)
    return parts
