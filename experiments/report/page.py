"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from experiments.report.commands import FOLDER, folder, use
from experiments.report.comparison import Comparison, compare
from experiments.report.convergence import verdict
from experiments.report.drawing import Picture, series_key
from experiments.report.exports import Exported
from experiments.report.headline import best, headlines, leaders, notes
from experiments.report.origin import settings_rows
from experiments.report.score import score_notes
from experiments.report.seeds import mean_rows
from experiments.report.sensitivity import DROPS, scans, sensitivity_picture
from experiments.report.speed import speed, speed_notes
from experiments.report.storage import stored_rows
from experiments.report.tiles import tiles
from experiments.runs import RunResult
from experiments.terminal import formats

HERE = Path(__file__).parent

EVERY = 3
"""Seconds after which a page of runs that go on asks for itself again."""


def render(
    results: Sequence[RunResult],
    title: str | None = None,
    exports: Sequence[Exported | None] | None = None,
    going_on: str = "",
) -> str:
    """One self-contained HTML page: no script, and no request to any network.

    The same results give the same text, character for character.

    Args:
        results: One run, or several side by side; those of one network and data set are compared.
        title: Of the page; None makes one.
        exports: What `amc export` measured of each run; left out, nothing.
        going_on: Of runs that are not finished, how far they are: the page then asks for itself
            again every few seconds.

    Raises:
        ValueError: if there are no results.
    """
    comparisons = compare(results, exports)
    template = _environment().get_template("report.html.j2")
    return template.render(
        title=formats.printable(title or _title(comparisons)),
        style=_style(),
        sections=[_section(comparison, at) for at, comparison in enumerate(comparisons)],
        going_on=formats.printable(going_on),
        every=EVERY,
        placeholder=FOLDER if any(folder(result) == FOLDER for result in results) else None,
    )


def going_on(told: str) -> str:
    """The page of runs that have nothing to show yet.

    Args:
        told: Why.
    """
    template = _environment().get_template("going_on.html.j2")
    return template.render(told=formats.printable(told), style=_style(), every=EVERY)


def _style() -> Markup:
    return Markup((HERE / "report.css").read_text(encoding="utf-8"))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (
        *(formats.scored, formats.amount, formats.cost_name, formats.duration),
        *(formats.measure, formats.percent, formats.printable),
    )
    environment.filters.update({word.__name__: word for word in words})
    environment.globals.update(series_key=series_key, drops=DROPS)
    return environment


def _title(comparisons: Sequence[Comparison]) -> str:
    where = formats.join_words(list(dict.fromkeys(comparison.title for comparison in comparisons)))
    names = {run.label for comparison in comparisons for run in comparison.runs}
    only = min(names) if len(names) == 1 else f"{len(names)} runs compared"
    return f"Pruning {where}: {only}"


def _section(comparison: Comparison, at: int) -> dict[str, object]:
    """All that the page says of one comparison."""
    winner = best(comparison.runs)
    return {
        "title": comparison.title,
        "score": formats.printable(comparison.score.name),
        "heading": _heading(comparison),
        "lower": not comparison.score.higher_is_better,
        "tested": comparison.runs[0].result.unpruned.test is not None,
        "runs": comparison.runs,
        "costs": cost_names(comparison),
        "finetuned": any(run.result.finetuned for run in comparison.runs),
        "headlines": headlines(comparison),
        "means": mean_rows(comparison),
        "limited": _capital(formats.cost_name(comparison.costs[0])),
        "tiles": [(run.label, tiles(run, comparison)) for run in leaders(comparison)],
        "speeds": [speed(run) for run in comparison.runs],
        "notes": [*speed_notes(comparison.runs), *notes(comparison)],
        "verdicts": [verdict(run) for run in comparison.runs],
        "score_notes": score_notes(comparison),
        "uses": [use(winner), *(use(run) for run in comparison.runs if run is not winner)],
        "settings": settings_rows(comparison),
        "stored": [stored_rows(run) for run in comparison.runs if run.result.stored],
        **_pictures(comparison, str(at)),
    }


def _heading(comparison: Comparison) -> str:
    """The score's name as the first word of a column; F1 and mAP stay as they are."""
    return _capital(formats.printable(comparison.score.name))


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:] if name.islower() else name


def cost_names(comparison: Comparison) -> list[str]:
    """The costs that every run reports, in the order of the first."""
    runs = comparison.runs
    return [name for name in runs[0].result.costs if all(name in run.result.costs for run in runs)]


def _pictures(comparison: Comparison, at: str) -> dict[str, object]:
    # matplotlib takes a second to import, so only a page that is made pays for it.
    from experiments.report.exploration import exploration_picture, explores
    from experiments.report.kept import kept_picture
    from experiments.report.search import search_picture
    from experiments.report.tradeoff import front_rows, tradeoff_picture
    from experiments.report.trust import trust_rows

    searched = any(run.result.evaluations for run in comparison.runs)
    explored = any(map(explores, comparison.runs))
    reported = cost_names(comparison)
    budgeted = [name for name in comparison.costs if name in reported] or reported[:1]
    return {
        "kept": _as_markup(kept_picture(comparison, f"kept{at}")),
        "scans": [
            (scan, _as_markup(sensitivity_picture(scan, comparison.title, f"scan{at}{number}")))
            for number, scan in enumerate(scans(comparison))
        ],
        "trust": [
            {**one, "picture": _as_markup(one["picture"])}
            for one in trust_rows(comparison, f"trust{at}")
        ],
        "search": _as_markup(search_picture(comparison, f"search{at}")) if searched else None,
        "exploration": (
            _as_markup(exploration_picture(comparison, f"exploration{at}")) if explored else None
        ),
        "tradeoffs": [
            (
                name,
                _as_markup(tradeoff_picture(comparison, name, f"tradeoff{at}{number}")),
                front_rows(comparison, name),
            )
            for number, name in enumerate(budgeted)
        ],
    }


def _as_markup(picture: Picture) -> dict[str, object]:
    """The drawing escapes its own text, so the template must not do it again."""
    return {"svg": Markup(picture.svg), "keys": picture.keys, "caption": picture.caption}
