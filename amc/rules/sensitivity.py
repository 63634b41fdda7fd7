"""The sensitivity scan: one group at a time, then one threshold on merit for all of them.

It takes groups for independent, which they are not: several mild cuts together cost more
than each alone. That is the known weakness of the rule, and the opening for a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from amc.costs import Limits
from amc.graph import Kept
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules.budgets import check_budget
from amc.rules.projection import Ratios, bisect


class Measured(Protocol):
    """A candidate and its merit: an `Outcome`, or the same read back from a file."""

    @property
    def kept(self) -> Kept: ...
    @property
    def merit(self) -> float: ...


@dataclass(frozen=True)
class Curve:
    """Merit of the network as one group alone is pruned.

    Args:
        ratios: Pruning ratios of the group, ascending from 0.
        merits: Of the network at each, in [0, 1]; higher is better.
    """

    ratios: NDArray[np.float64]
    merits: NDArray[np.float64]

    @property
    def envelope(self) -> NDArray[np.float64]:
        """At each ratio the lowest merit up to there.

        A curve that recovers is noise or luck, so what was once lost counts as lost.
        """
        return np.minimum.accumulate(self.merits)

    def ratio_at(self, threshold: float) -> float:
        """The largest ratio at which the envelope, straight between its points, holds `threshold`.

        0 where not even the unpruned network does.
        """
        held = self.envelope
        below = np.flatnonzero(held < threshold)
        if not below.size:
            return float(self.ratios[-1])
        at = int(below[0])
        if at == 0:
            return 0.0
        part = (held[at - 1] - threshold) / (held[at - 1] - held[at])
        return float(self.ratios[at - 1] + part * (self.ratios[at] - self.ratios[at - 1]))


def curves(full: Sequence[int], measured: Iterable[Measured]) -> tuple[Curve, ...]:
    """One curve a group, from the candidates in which no other group is pruned.

    Args:
        full: (groups,) units of the unpruned network.
        measured: Candidates, the unpruned network among them.

    Raises:
        ValueError: if the unpruned network is not among them.
    """
    points: list[dict[int, float]] = [{} for _ in full]
    whole = None
    for candidate in measured:
        cut = [at for at, units in enumerate(full) if candidate.kept[at] < units]
        if not cut:
            whole = candidate.merit
        elif len(cut) == 1:
            points[cut[0]].setdefault(candidate.kept[cut[0]], candidate.merit)
    if whole is None:
        raise ValueError("sensitivity curves need the unpruned network; evaluate it too")
    return tuple(
        _curve(units, {units: whole, **some}) for units, some in zip(full, points, strict=True)
    )


def _curve(units: int, points: dict[int, float]) -> Curve:
    """From kept counts to merits, as a curve over the ratio."""
    counts = sorted(points, reverse=True)
    ratios = 1 - np.array(counts, np.float64) / units
    return Curve(ratios, np.array([points[count] for count in counts]))


def scanned_counts(limits: Limits, group: int, ratios: int) -> list[int]:
    """Kept counts at which a group is scanned, descending, the full one left out.

    The legal counts nearest to the ratios k / (ratios + 1), k = 1, 2, ..., each once, and the
    smallest legal count above 0, where the scan ends.
    """
    steps = (limits.nearest(group, k / (ratios + 1)) for k in range(1, ratios + 1))
    counts = {*steps, limits.fewest[group]} - {0, limits.graph.full[group]}
    return sorted(counts, reverse=True)


def cut_at_threshold(limits: Limits, found: Sequence[Curve]) -> Kept:
    """Kept counts where one threshold on merit cuts all curves, as high as the budget allows.

    From the unpruned merit the threshold comes down until the budget holds. Where ratios that
    cost no merit at all already meet the budget, they are scaled together instead.
    """
    top = found[0].merits[0]
    bottom = min(curve.envelope[-1] for curve in found)

    def ratios_at(level: float) -> Ratios:
        threshold = top - max(0.0, level - 1) * (top - bottom)
        # A rounding error must not keep the last threshold above the lowest curve's end.
        ends = [curve.ratio_at(threshold if level < 2 else bottom) for curve in found]
        return min(1.0, level) * np.array(ends)

    return bisect(limits, ratios_at, 2.0)


@dataclass(frozen=True)
class Sensitivity:
    """The scan as a strategy: groups x ratios evaluations, one unpruned, and one at the end.

    Args:
        ratios: Pruning ratios per group, evenly spaced: 9 gives 0.1, 0.2, ..., 0.9. Each is rounded
            to a legal count, and the scan of a group ends at its smallest one.

    Raises:
        ValueError: if there are none.
    """

    ratios: int = 9

    def __post_init__(self) -> None:
        check("sensitivity", "ratios", self.ratios, 1 <= self.ratios <= 1000, "1 to 1000")

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Scan, cut the curves, and evaluate what comes out; nothing is random.

        Raises:
            ValueError: if the problem has no budget.
        """
        check_budget(problem.limits, "sensitivity")
        problem.restart()
        limits, full = problem.limits, problem.graph.full
        scanned = [
            (*full[:group], count, *full[group + 1 :])
            for group in range(len(full))
            for count in scanned_counts(limits, group, self.ratios)
        ]
        problem.evaluate_all([full, *scanned])
        problem.evaluate(cut_at_threshold(limits, curves(full, problem.outcomes)))
        return problem.result()
