"""The programs of a plan timed by a command, and its answers kept."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from experiments.disk import Rows
from experiments.latency.clock import Timing
from experiments.latency.commanded import Command, CommandError, timed

EVERY = 25
"""Programs between two looks at how steady the device is."""


@dataclass(frozen=True)
class Notes:
    """Times that a command told, kept line by line, so that no stop loses them.

    Args:
        path: Of the file.
        mark: What tells this plan from others; lines of another one are left alone.
    """

    path: Path
    mark: str

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self.path, ("plan", "program"))

    def known(self) -> dict[str, Timing]:
        """By program; of those that were timed again the last."""
        found = self._rows.known().items()
        return {program: row["timing"] for (plan, program), row in found if plan == self.mark}

    def keep(self, name: str, found: Timing) -> None:
        """Write one line, at once."""
        self._rows.add({"plan": self.mark, "program": name, "timing": found})


def measure_by(
    command: Command,
    programs: Mapping[str, Callable[[], bytes]],
    steady: str,
    notes: Notes | None,
    said: Callable[[int], None],
    say: Callable[[str], None],
    seconds: float = math.inf,
) -> tuple[dict[str, Timing], float]:
    """Time programs by a command; those that the notes know are not timed again.

    Args:
        command: That is asked.
        programs: By name, what makes each ONNX model.
        steady: The program that is timed again after every `EVERY` others.
        notes: Where times are kept; None keeps none.
        said: Told how many are done.
        say: Told what failed and is tried again.
        seconds: After which no further program is timed.

    Returns:
        For each program what was told, and how far the steady program's time went apart, relative
        to its median.

    Raises:
        CommandError: if the command fails at a program as often as it is tried, or time is up.
    """
    found = notes.known() if notes else {}
    names = [name for name in programs if name not in found]
    random.Random(0).shuffle(names)
    paces: list[float] = []
    start = time.monotonic()
    for number, name in enumerate(names):
        if number and time.monotonic() - start > seconds:
            raise CommandError(
                f"{len(found)} of {len(programs)} programs are timed after {seconds / 60:g} "
                "minutes (--profile-minutes); what the command told is kept, and the same command "
                "line goes on behind it"
            )
        try:
            if number % EVERY == 0:
                paces.append(timed(command, steady, programs[steady](), say)["seconds"])
            found[name] = timed(command, name, programs[name](), say)
        except CommandError as error:
            raise CommandError(
                f"{error}; what it told before is kept, and the same command goes on behind it"
            ) from None
        if notes:
            notes.keep(name, found[name])
        said(len(programs) - len(names) + number + 1)
    middle = statistics.median(paces) if paces else 1.0
    unsteady = statistics.median(abs(one / middle - 1) for one in paces) if paces else 0.0
    return {name: found[name] for name in programs}, unsteady
