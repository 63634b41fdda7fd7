"""Where each strategy pruned: a row for each group, a lane in it for each series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.comparison import Comparison, Run, Series, gone_groups
from experiments.report.drawing import Picture, marks, percent_axis, series_keys
from experiments.report.svg import GRID, PHONE_FONT, draw, series_colour
from experiments.terminal import percent, printable, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 10
"""Pixels between the lanes of one row and those of the next."""


def kept_picture(comparison: Comparison, key: str) -> Picture:
    """The fraction of units that each group keeps."""
    names = [shorten(printable(g.name), 22) for g in comparison.runs[0].result.groups]
    lane = max(2.5, min(10.0, 48 / len(comparison.series)))
    row = max(PHONE_FONT * 1.3, lane * len(comparison.series) + GAP)
    margin = (row - lane * len(comparison.series)) / 2

    def plot(axes: Axes) -> None:
        for number, series in enumerate(comparison.series):
            first = margin + lane * (number + 0.5)
            _lane(axes, comparison, series, [first + row * at for at in range(len(names))], lane)
        _rows(axes, names, row)
        axes.set(xlim=(0, 1), xlabel="units kept")
        axes.tick_params(labeltop=True)
        percent_axis(axes)

    left = round(max(map(len, names), default=0) * PHONE_FONT * 0.56) + 14
    svg = draw(key, _words(comparison), round(row * len(names)) + 94, left, plot)
    caption = "The fraction of its units that each group keeps, in forward order."
    if any(gone_groups(run.result) for run in comparison.runs):
        caption += " What keeps none is gone with the whole branch that it lies in."
    return Picture(svg, series_keys(comparison), caption)


def _lane(
    axes: Axes, comparison: Comparison, series: Series, heights: list[float], lane: float
) -> None:
    """One series: a stem to the mean of its runs, a mark for each run."""
    kept = [_fractions(run) for run in comparison.runs_of(series)]
    means = [sum(column) / len(kept) for column in zip(*kept, strict=True)]
    axes.hlines(heights, 0, means, color=series_colour(series.colour), linewidth=1.5, alpha=0.6)
    for fractions in kept:
        axes.plot(fractions, heights, **marks(series, min(7.5, lane * 0.85)), clip_on=False)


def _fractions(run: Run) -> list[float]:
    return [group.kept / group.total for group in run.result.groups]


def _rows(axes: Axes, names: list[str], row: float) -> None:
    """The groups' names, and a band behind every second row to lead the eye."""
    axes.set_ylim(row * len(names), 0)
    axes.set_yticks([row * (at + 0.5) for at in range(len(names))], names)
    axes.grid(visible=False, axis="y")
    for at in range(0, len(names), 2):
        axes.axhspan(row * at, row * (at + 1), facecolor=GRID, alpha=0.45, linewidth=0)


def _words(comparison: Comparison) -> str:
    words = "; ".join(map(_range_of, comparison.runs))
    return f"Fraction of units kept in each group of {comparison.title}: {words}."


def _range_of(run: Run) -> str:
    groups = sorted(run.result.groups, key=lambda group: group.kept / group.total)
    low, high = (
        f"{percent(g.kept / g.total)} ({printable(g.name)})" for g in (groups[0], groups[-1])
    )
    return f"{run.label} keeps from {low} to {high}"
