"""How the searches went: score of each evaluation, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.report.comparison import Comparison, Run, Series
from experiments.report.convergence import Progress, progress
from experiments.report.drawing import (
    Picture,
    View,
    line_key,
    marks,
    over_budget_key,
    reference,
    scatter,
    score_axis,
    score_axis_title,
    series_keys,
    view,
)
from experiments.report.svg import draw, series_colour
from experiments.terminal import count, printable, scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def search_picture(comparison: Comparison, key: str) -> Picture:
    """Score of each evaluation, of which there is one at least, and the best so far."""
    runs = [(run, progress(run.result)) for run in comparison.runs]
    unpruned = comparison.runs[0].result.unpruned.holdout
    dots = [value for _, done in runs for value in done.scores]
    shown = view(dots, [unpruned, *_milestones([done for _, done in runs])], comparison.score)
    longest = max(len(done.scores) for _, done in runs)

    def plot(axes: Axes) -> None:
        for run, done in runs:
            scatter(axes, run.series, _points(done, shown), len(dots))
        for run, done in runs:
            _best_line(axes, run.series, done, longest, 2 if len(runs) < 8 else 1.2)
        axes.axhline(unpruned, **reference())
        axes.set(xlim=(1 - 0.03 * longest, longest * 1.02 + 0.5), xlabel="evaluations")
        axes.locator_params(axis="x", nbins=6, integer=True)
        title = score_axis_title(comparison.score, "on held-out samples")
        score_axis(axes, shown.low, shown.high, title)

    fits = [fit for _, done in runs for fit in done.fits]
    keys = (*series_keys(comparison), *over_budget_key(fits), line_key("unpruned network"))
    return Picture(draw(key, _words(comparison, runs), 380, 58, plot), keys, _caption(dots, shown))


def _milestones(searches: Sequence[Progress]) -> list[float]:
    """What must be seen: the best after a tenth of each search and at its end."""
    found: list[float] = []
    for done in searches:
        size = len(done.scores)
        reached = [done.best_by(-(-size // 10)), done.best_by(size)]
        within = [value for value in reached if value is not None]
        # Where nothing met the budget, what came out best.
        found += within or done.scores[-1:]
    return found


def _points(done: Progress, shown: View) -> list[tuple[float, float, bool]]:
    candidates = enumerate(zip(done.scores, done.fits, strict=True), start=1)
    return [(number, value, fits) for number, (value, fits) in candidates if shown.shows(value)]


def _best_line(axes: Axes, series: Series, done: Progress, longest: int, width: float) -> None:
    if not done.best:
        return
    colour, end = series_colour(series.colour), len(done.scores)
    numbers, values = zip(*done.best, (end, done.best[-1][1]), strict=True)
    axes.plot(numbers, values, color=colour, linewidth=width, drawstyle="steps-post")
    axes.plot([end, longest], values[-1:] * 2, color=colour, linewidth=1.4, linestyle=":")
    axes.plot(numbers[-2:-1], values[-1:], **marks(series, 8), zorder=4)


def _words(comparison: Comparison, runs: Sequence[tuple[Run, Progress]]) -> str:
    words = "; ".join(_outcome(run, done) for run, done in runs)
    name = printable(comparison.score.name).capitalize()
    return f"{name} of each evaluation on held-out samples, {comparison.title}: {words}."


def _outcome(run: Run, done: Progress) -> str:
    total = count(len(done.scores), "evaluation")
    if not done.best:
        return f"{run.label} made {total}, none within the budget"
    number, value = done.best[-1]
    return f"{run.label} made {total}, the best {scored(value)} at number {number:,}"


def _caption(dots: Sequence[float], shown: View) -> str:
    return (
        "Dots are the candidates evaluated; lines the best within the budget so far, dotted on "
        f"from where a search ended, with a mark where the best was found.{shown.cut_off(dots)}"
    )
