"""The best accuracy so far against the number of evaluations, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.statistics import half_interval
from experiments.studies.contest.searching import Record
from experiments.studies.contest.study import Study
from experiments.studies.contest.summary import heights, records_of
from experiments.studies.figures import svg_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 100
"""Of a curve that are drawn at most."""


def draw(study: Study, records: Sequence[Record], path: Path) -> None:
    """One panel a cell: mean over the seeds and its 95% interval; rules as dotted lines."""
    columns = len(study.budgets)
    rows = len(study.networks)
    with svg_figure(path, rows, columns, size=(4.6 * columns, 3.4 * rows)) as (figure, grid):
        for cell, axes in zip(study.cells, grid.flat, strict=True):
            _panel(study, records, cell, axes)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _panel(study: Study, records: Sequence[Record], cell: tuple[str, str], axes: Axes) -> None:
    length, ends = max(study.evaluations), []
    for number, contender in enumerate(study.contenders):
        found = records_of(records, cell, contender.label, length)
        colour = f"C{number}"
        if found and contender.is_rule:
            axes.axhline(found[0].accuracy, linestyle=":", color=colour, label=contender.label)
        elif found:
            ends.append(_curve(found, length, contender.label, colour, axes))
    if ends:
        low, high = min(early for early, _ in ends), max(late for _, late in ends)
        if high > low:
            axes.set_ylim(low, high + 0.1 * (high - low))
    axes.set(title=f"{cell[0]}, {cell[1]}", xlabel="evaluations", ylabel="best accuracy so far")
    axes.set_xlim(1, length)
    axes.grid(alpha=0.3)


def _curve(
    found: Sequence[Record], length: int, label: str, colour: str, axes: Axes
) -> tuple[float, float]:
    """Draw one; where it is after a tenth of its way, as the picture begins there, and its end."""
    numbers = np.unique(np.linspace(1, length, POINTS).round().astype(int))
    reached = np.stack([heights(record, length) for record in found])  # (seeds, evaluations)
    middle = reached.mean(0)
    axes.plot(numbers, middle[numbers - 1], color=colour, label=label, linewidth=1.3)
    if len(found) > 1:
        half = np.array([half_interval(column) for column in reached.T])
        low, high = (middle - half)[numbers - 1], (middle + half)[numbers - 1]
        axes.fill_between(numbers, low, high, color=colour, alpha=0.15, linewidth=0)
    return float(middle[length // 10]), float(middle[-1])
