"""The best accuracy so far against the number of evaluations, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.contest.searching import Record
from experiments.contest.study import Study
from experiments.contest.summary import chosen, heights
from experiments.statistics import half_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(study: Study, records: Sequence[Record], path: Path) -> None:
    """One panel a cell: mean over the seeds and its 95% interval; rules as dotted lines."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = len(study.budgets)
    rows = len(study.networks)
    # Text as text, and no time stamp: the same figures give the same file.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "amc"}):
        size = (4.6 * columns, 3.4 * rows)
        figure, grid = pyplot.subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False
        )
        for cell, axes in zip(study.cells, grid.flat, strict=True):
            _panel(study, records, cell, axes)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _panel(study: Study, records: Sequence[Record], cell: tuple[str, str], axes: Axes) -> None:
    length, lowest = max(study.evaluations), []
    for number, contender in enumerate(study.contenders):
        found = chosen(records, cell, contender.label, length)
        colour = f"C{number}"
        if found and contender.is_rule:
            label = f"{contender.label} ({found[0].made})"
            axes.axhline(found[0].accuracy, linestyle=":", color=colour, label=contender.label)
            axes.annotate(label, (length, found[0].accuracy), ha="right", va="bottom", fontsize=7)
        elif found:
            lowest.append(_curve(found, length, contender.label, colour, axes))
    if lowest:
        top = axes.get_ylim()[1]
        axes.set_ylim(min(lowest), top + 0.05 * (top - min(lowest)))
    axes.set(title=f"{cell[0]}, {cell[1]}", xlabel="evaluations", ylabel="best accuracy so far")
    axes.set_xlim(1, length)
    axes.grid(alpha=0.3)


def _curve(found: Sequence[Record], length: int, label: str, colour: str, axes: Axes) -> float:
    """Draw one; where it is after a tenth of its way, as the picture begins there."""
    reached = np.stack([heights(record, length) for record in found])  # (seeds, evaluations)
    middle, numbers = reached.mean(0), np.arange(1, length + 1)
    axes.plot(numbers, middle, color=colour, label=label, linewidth=1.3)
    if len(found) > 1:
        half = np.array([half_interval(column) for column in reached.T])
        axes.fill_between(
            numbers, middle - half, middle + half, color=colour, alpha=0.15, linewidth=0
        )
    return float(middle[length // 10])
