"""How far a search still strays: the distance of each candidate from the best before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.report.comparison import Comparison, Run
from experiments.report.convergence import progress
from experiments.report.drawing import Picture, percent_axis_up, series_keys
from experiments.report.svg import draw, series_colour
from experiments.runs import RunResult
from experiments.terminal import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 10
"""Evaluations of a search whose exploration can be told."""
POINTS = 250
"""Of a line that are drawn at most."""


def explores(run: Run) -> bool:
    """Whether the search is long enough to say."""
    return len(run.result.evaluations) >= FEWEST


def distances(result: RunResult) -> NDArray[np.float64]:
    """(evaluations - 1,) mean difference in the fraction of units kept from the best so far.

    Until a candidate meets the budget, the one before stands for the best.
    """
    full = np.array([group.total for group in result.groups], dtype=float)
    kept = np.array([one.kept for one in result.evaluations]) / full
    best = {number - 1 for number, _ in progress(result).best}
    first, reference, found = min(best, default=len(kept)), 0, []
    for at in range(1, len(kept)):
        if at - 1 in best or at <= first:
            reference = at - 1
        found.append(np.abs(kept[at] - kept[reference]).mean())
    return np.array(found)


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(values,) means over the last tenth of them, up to each."""
    width = max(5, len(values) // 10)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def exploration_picture(comparison: Comparison, key: str) -> Picture:
    """The distance over the evaluations, of the runs that `explores` tells of."""
    runs = [run for run in comparison.runs if explores(run)]
    lines = [(run, smooth(distances(run.result))) for run in runs]
    step = -(-max(len(line) for _, line in lines) // POINTS)
    longest = max(len(run.result.evaluations) for run in comparison.runs)

    def plot(axes: Axes) -> None:
        for run, line in lines:
            colour = series_colour(run.series.colour)
            numbers = np.arange(2, len(line) + 2)
            axes.plot(numbers[::step], line[::step], color=colour, linewidth=2)
        most = max(float(line.max()) for _, line in lines)
        axes.set(xlim=(1 - 0.03 * longest, longest * 1.02 + 0.5), ylim=(0, max(0.01, 1.1 * most)))
        axes.set_xlabel("evaluations")
        axes.locator_params(axis="x", nbins=6, integer=True)
        percent_axis_up(axes, "difference from the best so far")

    shown = [item for item in series_keys(comparison) if item.label in _labels(runs)]
    caption = (
        "Exploration: in how much of each group’s units a candidate differs from the best before "
        "it, as a mean over groups and over the last tenth of the search."
    )
    svg = draw(key, _words(comparison, lines), 240, 58, plot)
    return Picture(svg, tuple(shown), caption)


def _labels(runs: Sequence[Run]) -> set[str]:
    return {run.series.label for run in runs}


def _words(comparison: Comparison, lines: Sequence[tuple[Run, NDArray[np.float64]]]) -> str:
    words = "; ".join(
        f"{run.label} from {percent(float(line[0]))} to {percent(float(line[-1]))}, at most "
        f"{percent(float(line.max()))}"
        for run, line in lines
    )
    return f"How far candidates differ from the best so far, {comparison.title}: {words}."
