"""What pruning one group alone costs: a small picture for each group, all to one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amc.rules import Curve, curves
from experiments.report.comparison import Comparison, Run
from experiments.report.drawing import Key, Picture, line_key, percent_axis, reference
from experiments.report.markers import DOT, LINE
from experiments.report.svg import GRID, MUTED, draw, series_colour
from experiments.terminal import percent, printable, scored, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 2
ROW = 150
"""Pixels from one row of panels to the next; the panel itself takes `PANEL` of them."""
PANEL = 100
GAP = 0.1
"""Between panels, as a part of a panel's width."""

DROPS = (0.01, 0.05, 0.1)
"""Losses of merit that the table beside the picture looks up."""


@dataclass(frozen=True)
class Scan:
    """The curves of one run.

    Args:
        run: Where they come from.
        curves: One a group, with two points at least where it can be pruned at all.
    """

    run: Run
    curves: tuple[Curve, ...]

    @property
    def unpruned(self) -> float:
        """Merit of the unpruned network, as the scan measured it."""
        return float(self.curves[0].merits[0])

    @property
    def what(self) -> str:
        """What the curves show: the score where it is its own merit."""
        score = self.run.result.score
        plain = score.bounds == (0.0, 1.0) and score.higher_is_better
        return printable(score.name) if plain else f"merit by {printable(score.name)}"

    @property
    def chosen(self) -> list[float]:
        """(groups,) the ratio that each group lost in the end."""
        return [1 - group.kept / group.total for group in self.run.result.groups]

    @property
    def table(self) -> list[tuple[str, float, list[float]]]:
        """For each group its name, the ratio chosen, and the largest that loses each of `DROPS`."""
        groups = zip(self.run.result.groups, self.curves, self.chosen, strict=True)
        return [
            (group.name, chosen, [curve.ratio_at(self.unpruned - drop) for drop in DROPS])
            for group, curve, chosen in groups
        ]


def scans(comparison: Comparison) -> list[Scan]:
    """The scans among the runs: those that measured each group pruned alone, and untuned."""
    found = [_scan(run) for run in comparison.runs if not run.result.tuned_steps]
    return [scan for scan in found if scan is not None]


def _scan(run: Run) -> Scan | None:
    full = [group.total for group in run.result.groups]
    try:
        found = curves(full, run.result.evaluations)
    except ValueError:
        return None
    # A group that has only one legal count cannot be scanned.
    fewest = map(min, zip(*(one.kept for one in run.result.evaluations), strict=True))
    pruned = [count < units for count, units in zip(fewest, full, strict=True)]
    scanned = [len(curve.ratios) > 1 for curve in found]
    whole = any(pruned) and scanned == pruned
    return Scan(run, found) if whole else None


def sensitivity_picture(scan: Scan, title: str, key: str) -> Picture:
    """Merit against the pruning ratio of one group at a time."""
    rows = -(-len(scan.curves) // COLUMNS)
    height = ROW * rows - (ROW - PANEL) + 34 + 56
    inside = ROW * rows - (ROW - PANEL)
    width = 1 / (COLUMNS + GAP * (COLUMNS - 1))

    def plot(axes: Axes) -> None:
        axes.set_axis_off()
        for at in range(len(scan.curves)):
            row, column = divmod(at, COLUMNS)
            bottom = 1 - (row * ROW + PANEL) / inside
            place = (column * width * (1 + GAP), bottom, width, PANEL / inside)
            _panel(axes.inset_axes(place), scan, at)

    colour = f"c{scan.run.series.colour}"
    keys = (
        Key(f"{scan.what} on held-out samples with this group alone pruned", DOT, colour),
        Key("the other groups", LINE, "ring"),
        line_key("ratio chosen for the group"),
    )
    caption = (
        "Each group in turn is pruned to the ratios along the bottom while the others stay whole; "
        f"the network as it came has {scored(scan.unpruned)}. The chosen ratios apply all at "
        "once, so their losses add up."
    )
    return Picture(draw(key, _words(scan, title), height, 58, plot), keys, caption)


def _panel(axes: Axes, scan: Scan, at: int) -> None:
    """One group in colour over all others."""
    for other in scan.curves:
        axes.plot(other.ratios, other.merits, color=MUTED, linewidth=0.7, alpha=0.35)
    axes.axvline(scan.chosen[at], **reference())
    own, colour = scan.curves[at], series_colour(scan.run.series.colour)
    look: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.8, "clip_on": False}
    axes.plot(own.ratios, own.merits, color=colour, zorder=4, **look)
    name = shorten(printable(scan.run.result.groups[at].name), 16)
    axes.set_title(name, loc="left", fontsize="medium", pad=7)
    _frame(axes, scan, at)


def _frame(axes: Axes, scan: Scan, at: int) -> None:
    """The same scales everywhere, written at the left and under the last panel of a column."""
    values = [value for curve in scan.curves for value in curve.merits.tolist()]
    room = 0.06 * max(0.05, max(values) - min(values))
    axes.patch.set_visible(False)
    axes.set(xlim=(0, 1), ylim=(min(values) - room, max(values) + room))
    # Nothing at 100%, which would run into the next panel's 0%.
    axes.set_xticks([0, 0.4, 0.8])
    percent_axis(axes)
    axes.locator_params(axis="y", nbins=3, steps=[1, 2, 5, 10])
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.grid(visible=True, color=GRID)
    axes.tick_params(labelleft=at % COLUMNS == 0, labelbottom=at + COLUMNS >= len(scan.curves))


def _words(scan: Scan, title: str) -> str:
    words = "; ".join(f"{printable(name)} {percent(ratios[0])}" for name, _, ratios in scan.table)
    return (
        f"Held-out {scan.what} against the pruning ratio of one group at a time, {title}: unpruned "
        f"{scored(scan.unpruned)}; largest ratio that loses at most {DROPS[0]}: {words}."
    )
