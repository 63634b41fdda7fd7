"""What the pictures share: legends, axes, dots and marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amc.tasks import Score
from experiments.report.comparison import Comparison, Series
from experiments.report.markers import DOT, LINE, MARKERS
from experiments.report.svg import MUTED, PAPER, series_colour
from experiments.terminal import count, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS = 1000
"""Candidates that one picture shows at most; of more it shows every second, third, ..."""

LEAST_SPAN = 0.05
"""Of the scores in a picture, as a part of what there can be, so that noise does not fill it."""


@dataclass(frozen=True)
class Key:
    """One entry of a legend.

    Args:
        label: What the mark stands for.
        path: Its shape, as SVG's path data around the origin, within 6 units.
        look: The classes that `report.css` knows it by.
    """

    label: str
    path: str
    look: str


@dataclass(frozen=True)
class Picture:
    """A drawing, its legend, and what stands under it."""

    svg: str
    keys: tuple[Key, ...]
    caption: str


def series_key(series: Series) -> Key:
    """The legend's entry for a series."""
    return Key(series.label, MARKERS[series.marker], f"c{series.colour}")


def series_keys(comparison: Comparison) -> tuple[Key, ...]:
    """The legend of all series."""
    return tuple(map(series_key, comparison.series))


def over_budget_key(fits: Sequence[bool]) -> tuple[Key, ...]:
    """The legend's entry for hollow dots, where there are any."""
    return () if all(fits) else (Key("over the budget", DOT, "ring"),)


def line_key(label: str) -> Key:
    """The legend's entry for a line to compare with."""
    return Key(label, LINE, "dashed")


@dataclass(frozen=True)
class View:
    """Which scores a picture shows.

    Args:
        low: Least of them.
        high: Greatest.
        score: What they are.
    """

    low: float
    high: float
    score: Score

    def shows(self, value: float) -> bool:
        """Whether a score is not too bad for it."""
        return value >= self.low if self.score.higher_is_better else value <= self.high

    def cut_off(self, dots: Sequence[float]) -> str:
        """The caption's sentence on dots outside the picture; empty without any."""
        hidden = sum(not self.shows(value) for value in dots)
        if not hidden:
            return ""
        up = self.score.higher_is_better
        edge = f"below {self.low:.2f}" if up else f"above {self.high:.2f}"
        return f" {count(hidden, 'candidate')} {edge} {'lies' if hidden == 1 else 'lie'} outside."


def view(dots: Sequence[float], needed: Sequence[float], score: Score) -> View:
    """What is needed in the better half of a picture, dots as they come.

    Failed candidates may lie far from all that matters and would press it flat.
    """
    seen, must = ([score.sign * one for one in each] for each in (dots, needed))
    low, high = sorted(score.sign * end for end in span(seen, must, _least(needed, score)))
    return View(low, high, score)


def span(
    dots: Sequence[float], needed: Sequence[float], least: float = LEAST_SPAN
) -> tuple[float, float]:
    """Least and greatest of scores that are better the higher: what is needed in the upper half."""
    top, bottom = max(needed), min(needed)
    lowest = bottom - max(least, top - bottom)
    low = max(lowest, min([bottom, *dots]))
    high = max([top, *dots])
    room = 0.06 * max(least, high - low)
    return min(low, high - least) - room, high + room


def _least(needed: Sequence[float], score: Score) -> float:
    if score.bounds is not None:
        return LEAST_SPAN * (score.bounds[1] - score.bounds[0])
    return LEAST_SPAN * max(map(abs, needed)) or LEAST_SPAN


def score_axis_title(score: Score, where: str) -> str:
    """What stands above an axis of scores, and which way is better where that is not plain."""
    unit = f" ({printable(score.unit)})" if score.unit else ""
    way = "" if score.higher_is_better else " (lower is better)"
    return f"{printable(score.name)}{unit} {where}{way}"


def marks(series: Series, size: float) -> dict[str, Any]:
    """matplotlib's settings for the marks of a series, with a rim that parts those that touch."""
    colour = series_colour(series.colour)
    # A triangle fills less of its box than the other shapes.
    size *= 1.2 if series.marker in "^v" else 1.0
    look = {"marker": series.marker, "markersize": size, "markerfacecolor": colour}
    return {"linestyle": "none", **look, "markeredgecolor": PAPER, "markeredgewidth": 0.8}


def reference() -> dict[str, Any]:
    """matplotlib's settings for a line to compare with."""
    return {"color": MUTED, "linewidth": 1.2, "linestyle": (0, (4, 3))}


def scatter(
    axes: Axes,
    series: Series,
    points: Sequence[tuple[float, float, bool]],
    total: int,
) -> None:
    """Faint dots, evenly thinned where there are too many.

    Args:
        axes: Drawn on.
        series: Gives the colour.
        points: x, y and whether the budgets are met; hollow where not.
        total: Points of all series in the picture.
    """
    step = max(1, -(-total // DOTS))
    colour = series_colour(series.colour)
    for fit, fill, edge in ((False, "none", 0.7), (True, colour, 0)):
        some = [(x, y) for x, y, fits in points[::step] if fits == fit]
        if some:
            look: dict[str, Any] = {"markerfacecolor": fill, "markeredgewidth": edge}
            xs, ys = zip(*some, strict=True)
            look |= {"linestyle": "none", "marker": "o", "markersize": 4, "alpha": 0.5}
            axes.plot(xs, ys, markeredgecolor=colour, **look)


def score_axis(axes: Axes, low: float, high: float, title: str) -> None:
    """Scores upwards, the axis named above itself, where small screens have room."""
    axes.set_ylim(low, high)
    axes.set_title(title, loc="left", fontsize="medium", pad=12)
    axes.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")


def percent_axis_up(axes: Axes, title: str) -> None:
    """Fractions upwards, written as percentages, the axis named above itself."""
    axes.set_title(title, loc="left", fontsize="medium", pad=12)
    axes.locator_params(axis="y", nbins=4, steps=[1, 2, 5, 10])
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")


def percent_axis(axes: Axes) -> None:
    """Fractions to the right, written as percentages."""
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
