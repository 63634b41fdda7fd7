"""Ours and the textbook procedure, side by side in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from experiments.markdown import markdown
from experiments.speed.cases import Case
from experiments.speed.episodes import Episode, by_textbook, medians, ours
from experiments.speed.textbook import Textbook


def versus(case: Case, episodes: int, textbook_episodes: int) -> dict[str, Any]:
    """Time both on the same policies, print where the time goes, and return it.

    Args:
        case: The network.
        episodes: Of ours.
        textbook_episodes: How many of our policies the textbook evaluates.
    """
    problem = case.problem()
    fast = ours(problem, episodes)
    chosen = np.linspace(0, len(fast) - 1, min(textbook_episodes, len(fast))).round()
    same = [fast[int(number)] for number in chosen]
    slow = by_textbook(Textbook.of(problem, case.calibration), [one.kept for one in same])
    found = {
        "speedup": median(one.seconds for one in slow) / median(one.seconds for one in fast),
        "outside_forward": median(one.outside for one in fast),
        "ours": summary(fast),
        "textbook": summary(slow),
        "accuracies": [
            [one.accuracy, other.accuracy] for one, other in zip(same, slow, strict=True)
        ],
    }
    print(_table(found), flush=True)
    return found


def summary(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Medians, and the spread of the whole."""
    seconds = [one.seconds for one in episodes]
    return {
        "episodes": len(episodes),
        "seconds": median(seconds),
        "quartiles": [float(part) for part in np.quantile(seconds, (0.25, 0.75))],
        "stages": medians(episodes),
    }


def _table(found: Mapping[str, Any]) -> str:
    lines = []
    for side in ("textbook", "ours"):
        own = found[side]
        for stage, seconds in own["stages"].items():
            lines.append([side, stage, f"{seconds:.3f}", f"{seconds / own['seconds']:.1%}"])
        low, high = own["quartiles"]
        whole = f"an episode (median of {own['episodes']}; quartiles {low:.3f} to {high:.3f})"
        lines.append([side, whole, f"{own['seconds']:.3f}", ""])
    table = markdown(["", "stage", "seconds", "share"], lines)
    return (
        f"{table}\n\n{found['speedup']:.1f} x as fast; "
        f"{found['outside_forward']:.1%} of an episode lies outside the forward passes\n"
    )
