"""What a score costs: every candidate, the chosen ones, and the unpruned network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amc.tasks import ACCURACY, Score
from experiments.report.comparison import Comparison, Run
from experiments.report.convergence import fits_budgets
from experiments.report.drawing import (
    Key,
    Picture,
    View,
    line_key,
    marks,
    over_budget_key,
    percent_axis,
    reference,
    scatter,
    score_axis,
    score_axis_title,
    series_keys,
    view,
)
from experiments.report.markers import LINE, MARKERS, STAR
from experiments.report.svg import INK, PAPER, draw, series_colour
from experiments.terminal import cost_name, percent, printable, scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float, bool]]

ROWS = 12
"""Of the front that its table shows at most."""


@dataclass(frozen=True)
class _Chosen:
    """One run: the fraction of the cost left, and its held-out scores."""

    run: Run
    left: float
    points: Points

    @property
    def needed(self) -> list[float]:
        """Scores that the picture must show."""
        finetuned = self.run.result.finetuned
        after = [finetuned.holdout] if finetuned else []
        return [self.run.result.unpruned.holdout, self.run.result.searched.holdout, *after]


def tradeoff_picture(comparison: Comparison, cost: str, key: str) -> Picture:
    """Held-out score against what is left of `cost`, a cost that every run reports."""
    chosen = [_Chosen(run, _left(run, cost), _points(run, cost)) for run in comparison.runs]
    points = [point for one in chosen for point in one.points]
    dots = [y for _, y, _ in points]
    shown = view(dots, [y for one in chosen for y in one.needed], comparison.score)
    limits = _limits(comparison, cost)
    name = cost_name(cost)

    def plot(axes: Axes) -> None:
        _candidates(axes, chosen, shown)
        for limit in limits:
            axes.axvline(limit, **reference())
        _unpruned(axes, comparison)
        for one in chosen:
            _mark(axes, one)
        axes.set(xlim=_extent(chosen, shown), xlabel=f"{name} left")
        percent_axis(axes)
        title = score_axis_title(comparison.score, "on held-out samples")
        score_axis(axes, shown.low, shown.high, title)

    svg = draw(key, _words(comparison, chosen, name), 400, 58, plot)
    keys = series_keys(comparison) + _extra_keys(comparison, points, limits)
    return Picture(svg, keys, _caption(comparison, dots, shown))


def front_rows(comparison: Comparison, cost: str) -> list[tuple[float, float, str]]:
    """Cost left, score and run of the candidates on the front, cheapest first.

    Of more than `ROWS` some, evenly over the front.
    """
    points = sorted(
        ((x, y, run.label) for run in comparison.runs for x, y, _ in _points(run, cost)),
        key=lambda point: (point[0], -comparison.score.sign * point[1]),
    )
    front: list[tuple[float, float, str]] = []
    for point in points:
        if not front or comparison.score.better(point[1], front[-1][1]):
            front.append(point)
    some = {round(at * (len(front) - 1) / (ROWS - 1)) for at in range(ROWS)}
    return front if len(front) <= ROWS else [front[at] for at in sorted(some)]


def _left(run: Run, cost: str) -> float:
    return run.result.costs[cost].fraction


def _seen(one: _Chosen, shown: View) -> Points:
    return [point for point in one.points if shown.shows(point[1])]


def _candidates(axes: Axes, chosen: Sequence[_Chosen], shown: View) -> None:
    """All dots, and the line over the best of them."""
    seen = [point for one in chosen for point in _seen(one, shown)]
    for one in chosen:
        scatter(axes, one.run.series, _seen(one, shown), len(seen))
    axes.step(*_front(seen, shown.score), where="post", color=INK, linewidth=1.4)


def _extent(chosen: Sequence[_Chosen], shown: View) -> tuple[float, float]:
    """Of the cost axis: all that is seen, with room for marks."""
    cheap = [x for one in chosen for x, _, _ in _seen(one, shown)]
    least = min([1.0, *cheap, *(one.left for one in chosen)])
    return least - 0.1 * (1 - least) - 0.01, 1.03


def _points(run: Run, cost: str) -> Points:
    """Cost left, score, and whether the budgets are met, of the candidates that report it.

    Without those that were stopped early, whose score is an estimate.
    """
    full = run.result.costs[cost].unpruned
    return [
        (candidate.costs[cost] / full, candidate.score, fits_budgets(run.result, candidate))
        for candidate in run.result.evaluations
        if cost in candidate.costs and candidate.seen is None
    ]


def _limits(comparison: Comparison, cost: str) -> list[float]:
    """The budgets on this cost that ask for pruning, as fractions of the unpruned network's."""
    found = {
        budget.absolute(run.result.costs[cost].unpruned) / run.result.costs[cost].unpruned
        for run in comparison.runs
        for budget in run.result.budgets
        if budget.cost == cost
    }
    return sorted(limit for limit in found if limit < 1)


def _front(points: Points, score: Score) -> tuple[list[float], list[float]]:
    """Candidates that no cheaper one equals, and on to the dearest."""
    front: list[tuple[float, float]] = []
    for x, y, _ in sorted(points, key=lambda point: (point[0], -score.sign * point[1])):
        if not front or score.better(y, front[-1][1]):
            front.append((x, y))
    front += [(max(x for x, _, _ in points), front[-1][1])] if front else []
    return [x for x, _ in front], [y for _, y in front]


def _unpruned(axes: Axes, comparison: Comparison) -> None:
    height = comparison.runs[0].result.unpruned.holdout
    axes.plot([1.0], [height], "*", color=INK, markeredgecolor=PAPER, markersize=13, zorder=5)


def _mark(axes: Axes, one: _Chosen) -> None:
    """The network as searched, and a hollow mark where fine-tuning took it."""
    colour, result = series_colour(one.run.series.colour), one.run.result
    if result.finetuned:
        rise = [result.searched.holdout, result.finetuned.holdout]
        axes.plot([one.left] * 2, rise, color=colour, linewidth=1.2, zorder=3)
        hollow = {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": 1.6}
        axes.plot([one.left], rise[1:], **marks(one.run.series, 7.5) | hollow, zorder=4)
    axes.plot([one.left], [result.searched.holdout], **marks(one.run.series, 9), zorder=5)


def _extra_keys(comparison: Comparison, points: Points, limits: Sequence[float]) -> tuple[Key, ...]:
    tuned = any(run.result.finetuned for run in comparison.runs)
    return (
        *([Key("after fine-tuning (hollow)", MARKERS["o"], "hollow")] if tuned else []),
        Key("unpruned network", STAR, "ink"),
        *([Key("best at that cost or less (Pareto front)", LINE, "line")] if points else []),
        *over_budget_key([fits for _, _, fits in points]),
        *([line_key("budget")] if limits else []),
    )


def _words(comparison: Comparison, chosen: Sequence[_Chosen], name: str) -> str:
    words = "; ".join(_outcome(one, name) for one in chosen)
    score = printable(comparison.score.name)
    return f"Held-out {score} against {name} left, {comparison.title}: {words}."


def _outcome(one: _Chosen, name: str) -> str:
    result = one.run.result
    text = f"{one.run.label} reached {scored(result.searched.holdout)} at {percent(one.left)}"
    tuned = f", {scored(result.finetuned.holdout)} after fine-tuning" if result.finetuned else ""
    return f"{text} of the {name}{tuned}"


def _of_a_part(run: Run) -> bool:
    """Whether candidates were measured on fewer samples than what came out."""
    told = run.result.samples
    if told:
        return told.get("search", 0) < told.get("holdout", 0)
    own_function = run.result.score != ACCURACY  # which no setting cuts short
    return bool(run.result.config.get("search_images")) and not own_function


def _caption(comparison: Comparison, dots: Sequence[float], shown: View) -> str:
    some = any(map(_of_a_part, comparison.runs))
    part = " Dots are measured on a part of the held-out samples, marks on all." if some else ""
    candidates = (
        " Faint dots are all candidates, and the line is the best of them at that cost "
        f"or less.{part}{shown.cut_off(dots)}"
    )
    return (
        "Filled marks are the networks chosen, before any fine-tuning after the search."
        f"{candidates if dots else ''}"
    )
