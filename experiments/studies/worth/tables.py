"""Who is ahead after fine-tuning, and what it took, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.statistics import Mean, difference, half_difference
from experiments.studies.markdown import markdown
from experiments.studies.worth.contenders import CONTENDERS, EVEN, LONGER, OURS
from experiments.terminal import duration, percent

Line = Mapping[str, Any]
Cell = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """One contender in one cell.

    Args:
        name: Its.
        lines: Of the file, one for each seed.
        ours: Tuned scores of ours there.
    """

    name: str
    lines: tuple[Line, ...]
    ours: tuple[float, ...]

    @property
    def tuned(self) -> list[float]:
        """Scores on test pictures after fine-tuning."""
        return [line["tuned"] for line in self.lines]

    @property
    def row(self) -> tuple[str, ...]:
        """Of the table."""
        seconds = np.mean([sum(line["seconds"].values()) for line in self.lines])
        minutes = np.mean([line["core_seconds"] for line in self.lines]) / 60
        return (
            f"`{self.name}`",
            percent(float(np.mean([line["left"] for line in self.lines]))),
            f"{np.mean([line['cut'] for line in self.lines]):.4f}",
            str(Mean.of(self.tuned)),
            "" if self.name == OURS or not self.ours else difference(self.ours, self.tuned),
            *(duration(float(seconds)), f"{minutes:.1f}", str(len(self.lines))),
        )


def tables(found: Mapping[tuple[Any, ...], Line], cells: Sequence[Cell], seeds: int) -> str:
    """One table for each cell, and what they come to.

    Args:
        found: Rows of the file, by network, budget, contender and seed.
        cells: In the order in which they are shown.
        seeds: That are shown at most.
    """
    heads = (
        *("contender", "left", "after the cut", "tuned", f"`{OURS}` is ahead by"),
        *("time", "core-minutes", "seeds"),
    )
    parts = []
    for network, budget in cells:
        standings = _standings(found, (network, budget), seeds)
        if standings:
            parts.append(f"{network} at `{budget}`:")
            parts.append(markdown(heads, [one.row for one in standings]))
    verdicts = [_verdict(found, cells, seeds, name) for name in (EVEN, LONGER)]
    machines = dict.fromkeys(line["machine"] for line in found.values())
    return "\n\n".join([*parts, *filter(None, verdicts), f"{'; '.join(machines)}."])


def _standings(found: Mapping[tuple[Any, ...], Line], cell: Cell, seeds: int) -> Sequence[Standing]:
    def lines(name: str) -> tuple[Line, ...]:
        keys = ((*cell, name, seed) for seed in range(seeds))
        return tuple(found[key] for key in keys if key in found and not found[key]["error"])

    ours = tuple(line["tuned"] for line in lines(OURS))
    return [Standing(name, own, ours) for name in CONTENDERS if (own := lines(name))]


def _verdict(
    found: Mapping[tuple[Any, ...], Line], cells: Sequence[Cell], seeds: int, name: str
) -> str:
    """In how many cells ours is ahead of a contender, and behind it, beyond the interval."""
    ahead, beyond, behind, count = 0, 0, 0, 0
    for cell in cells:
        standings = {one.name: one for one in _standings(found, cell, seeds)}
        if OURS not in standings or name not in standings:
            continue
        theirs = standings[name]
        gap = float(np.mean(theirs.ours) - np.mean(theirs.tuned))
        half = half_difference(theirs.ours, theirs.tuned)
        count += 1
        ahead += gap > 0
        beyond += gap > half
        behind += -gap > half
    if not count:
        return ""
    return (
        f"`{OURS}` is ahead of `{name}` ({CONTENDERS[name].about}) in {ahead} of {count} cells, "
        f"beyond the 95% interval in {beyond}, and behind by more than it in {behind}."
    )
