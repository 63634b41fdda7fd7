"""The largest network within a time, where a contender has one knob and no clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from experiments.disk import Rows

KNOBS = tuple(step / 20 for step in range(1, 20))
"""How much goes, as each contender counts it. All are tried, as time does not fall evenly."""

KEYS = ("knob",)


class TooSlowError(ValueError):
    """No knob makes a network that is fast enough."""


@dataclass(frozen=True)
class Cut:
    """What a contender made.

    Args:
        network: The smaller network, not tuned.
        seconds: That a person would have waited for it.
        knob: What it was made by; None where there is none.
        note: What else it was made by.
    """

    network: nn.Module
    seconds: float
    knob: float | None = None
    note: str = ""


def within(
    cut: Callable[[float], nn.Module],
    clock: Callable[[nn.Module], float],
    target: float,
    rows: Rows,
) -> Cut:
    """The slowest network that is fast enough by the clock.

    Args:
        cut: A network for a knob.
        clock: Part of the unpruned network's time.
        target: That it may take.
        rows: Where the clock's answers are kept, which serve every target.

    Raises:
        TooSlowError: if no knob is fast enough.
        ValueError: if none makes a network, with the first's error.
    """
    for knob in KNOBS:
        if (knob,) not in rows.known():
            rows.add({"knob": knob, **_clocked(cut, clock, knob, rows)})
    found = rows.known().values()
    fast = [row for row in found if row["left"] is not None and row["left"] <= target]
    if all(row["left"] is None for row in found):
        raise ValueError(next(row["error"] for row in found))
    if not fast:
        raise TooSlowError(f"is nowhere within {target:.0%} of the time")
    best = max(fast, key=lambda row: row["left"])
    return Cut(cut(best["knob"]), sum(row["seconds"] for row in found), best["knob"])


def _clocked(
    cut: Callable[[float], nn.Module], clock: Callable[[nn.Module], float], knob: float, rows: Rows
) -> dict[str, object]:
    """One answer of the clock; the same networks are not timed again."""
    start = time.perf_counter()
    try:
        network = cut(knob)
    except Exception as error:  # Others' packages have errors of their own.
        return {"left": None, "error": f"{type(error).__name__}: {error}"[:200], "seconds": 0.0}
    shapes = [list(one.shape) for one in network.parameters()]
    same = [row for row in rows.known().values() if row.get("shapes") == shapes]
    left = same[0]["left"] if same else clock(network)
    return {"left": left, "shapes": shapes, "seconds": time.perf_counter() - start}
