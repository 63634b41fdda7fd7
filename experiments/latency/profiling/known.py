"""Times of parts that earlier profiles on this device found, for networks with layers alike."""

from __future__ import annotations

import hashlib
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from experiments.disk import Rows
from experiments.latency.clock import Timing
from experiments.latency.profiling.plan import canonical
from experiments.latency.profiling.program import Program

ANCHORS = 16
"""Known programs that are timed again, at least: they tell how fast the machine is now."""

PART = 0.1
"""Of the known programs, that are timed again."""

APART = 0.05
"""How far quartiles of what these tell may be apart for the others to be taken."""


def mark_of(program: Program) -> str:
    """The same for programs that differ in the names of their tensors only."""
    return hashlib.sha256(canonical(program).encode()).hexdigest()


@dataclass(frozen=True)
class Known:
    """A file of times, which only grows.

    Args:
        path: Of the file; one for each device, runtime and number of threads.
    """

    path: Path

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self.path, ("mark",))

    def times(self, marks: Mapping[str, str]) -> dict[str, Timing]:
        """Of the programs with these marks those that are known, by their names here."""
        found = self._rows.known()
        return {name: found[mark,]["timing"] for name, mark in marks.items() if (mark,) in found}

    def keep(self, marks: Mapping[str, str], timings: Mapping[str, Timing]) -> None:
        """Write down what was timed, where it has a mark."""
        self._rows.add(
            *(
                {"mark": mark, "timing": timings[name]}
                for name, mark in marks.items()
                if name in timings
            )
        )


def anchors_of(known: Sequence[str]) -> list[str]:
    """Those of the known programs that are timed again."""
    order = sorted(known)
    random.Random(0).shuffle(order)
    return order[: max(ANCHORS, round(PART * len(order)))]


def at_this_pace(old: Mapping[str, Timing], now: Mapping[str, Timing]) -> dict[str, Timing] | None:
    """What was known before and was not timed again, as long as it would take now.

    Args:
        old: By name.
        now: Of some of these, timed again.

    Returns:
        None where these do not agree on how fast the machine is.
    """
    again = [now[name]["seconds"] / old[name]["seconds"] for name in old if name in now]
    if len(again) < ANCHORS:
        return None
    low, pace, high = statistics.quantiles(again, n=4)
    if high / low - 1 > APART:
        return None
    return {
        name: {
            "seconds": pace * one["seconds"],
            "spread": pace * one["spread"],
            "typical": pace * one["typical"],
        }
        for name, one in old.items()
        if name not in now
    }
