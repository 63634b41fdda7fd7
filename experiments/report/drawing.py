"""What the pictures share: legends, axes, dots and marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.report.comparison import Comparison, Series
from experiments.report.markers import DOT, LINE, MARKERS
from experiments.report.svg import MUTED, PAPER, series_colour
from experiments.terminal import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS = 1000
"""Candidates that one picture shows at most; of more it shows every second, third, ..."""

LEAST_SPAN = 0.05
"""Of the accuracies in a picture, so that noise does not fill it."""


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


def span(dots: Sequence[float], needed: Sequence[float]) -> tuple[float, float]:
    """Least and greatest accuracy to show: what is needed in the upper half, dots as they come.

    Failed candidates may lie far below all that matters and would press it flat.
    """
    top, bottom = max(needed), min(needed)
    lowest = bottom - max(LEAST_SPAN, top - bottom)
    low = max(lowest, min([bottom, *dots]))
    high = max([top, *dots])
    room = 0.06 * max(LEAST_SPAN, high - low)
    return min(low, high - LEAST_SPAN) - room, high + room


def cut_off(dots: Sequence[float], low: float) -> str:
    """The caption's sentence on dots below the picture; empty without any."""
    hidden = sum(value < low for value in dots)
    verb = "lies" if hidden == 1 else "lie"
    return f" {count(hidden, 'candidate')} below {low:.2f} {verb} outside." if hidden else ""


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


def accuracy_axis(axes: Axes, low: float, high: float, title: str) -> None:
    """Accuracies upwards, the axis named above itself, where small screens have room."""
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
