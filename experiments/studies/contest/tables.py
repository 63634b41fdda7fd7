"""A contest's records as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from experiments.statistics import signed
from experiments.studies.contest.searching import Record, keys
from experiments.studies.contest.study import OURS, Study
from experiments.studies.contest.summary import (
    EQUAL,
    Images,
    Verdict,
    mean,
    records_of,
    verdicts,
)
from experiments.studies.markdown import markdown

PLACES: dict[Images, str] = {"other": "other images", "accuracy": "search images"}


def contest(study: Study, records: Sequence[Record]) -> str:
    """A table for each cell of what was run, then the verdicts."""
    begun = {(record.network, record.budget) for record in records}
    cells = [
        f"{_named(cell)}:\n\n{_cell_table(study, records, cell)}"
        for cell in study.cells
        if cell in begun
    ]
    found = {images: verdicts(study, records, images) for images in PLACES}
    told = [_verdict_text(study, own, images) for images, own in found.items() if own]
    return "\n\n".join([*cells, *told, _origin(study, records)])


def _origin(study: Study, records: Sequence[Record]) -> str:
    if not records:
        return "Nothing was run yet."
    whole = len({key for task in study.tasks() for key in keys(task)})
    machines = "; ".join(dict.fromkeys(record.machine for record in records))
    return (
        f"{len(records)} of {whole} results of the contest are there; what is not told was not run "
        f"yet. Intervals are 95% ones, by Student's t. {machines}, one thread a search."
    )


def _named(cell: tuple[str, str]) -> str:
    return f"{cell[0]} at `{cell[1]}`"


def _cell_table(study: Study, records: Sequence[Record], cell: tuple[str, str]) -> str:
    heads = ["strategy", "evaluations", "search images", "other images", "seeds", "seconds"]
    rows = [
        [f"`{contender.label}`", *_cells(found)]
        for contender in study.contenders
        for asked in ((0,) if contender.is_rule else sorted(study.evaluations))
        if (found := records_of(records, cell, contender.label, asked))
    ]
    return markdown(heads, rows)


def _cells(found: Sequence[Record]) -> list[str]:
    made = np.mean([record.made for record in found])
    return [
        f"{made:.0f}" if found[0].asked in (0, made) else f"{found[0].asked} ({made:.0f} made)",
        str(mean(found, "accuracy")),
        str(mean(found, "other")),
        str(len(found)),
        f"{np.mean([record.seconds for record in found]):.0f}",
    ]


def _verdict_text(study: Study, found: Sequence[Verdict], images: Images) -> str:
    heads = ["evaluations", "cell", f"`{OURS}`", "best rival", "difference", f"`{OURS}` is"]
    rows = [
        [
            str(one.asked),
            _named(one.cell),
            str(one.ours),
            f"`{one.best_rival}` {one.rivals[one.best_rival]}",
            signed(one.difference, one.half),
            _word(one),
        ]
        for one in found
    ]
    title = f"`{OURS}` against the best of the other searches, on the {PLACES[images]}:"
    return "\n\n".join([title, markdown(heads, rows), _bars(study, found)])


def _word(one: Verdict) -> str:
    if one.better:
        return "better than all"
    if one.higher:
        return "higher than all, by what chance may give"
    return "equal" if one.as_good else "worse"


def _bars(study: Study, found: Sequence[Verdict]) -> str:
    """Each bar with how many cells meet it."""
    lines, cells = [], len(study.cells)
    for number, asked in enumerate(sorted(study.evaluations, reverse=True)):
        mine = [one for one in found if one.asked == asked]
        if number == 0:
            words = f"at least as good (equal: intervals overlap and no more than {EQUAL} below)"
            lines.append(_bar(asked, words, mine, lambda one: one.as_good, cells, cells))
        lines.append(_bar(asked, "higher than all", mine, lambda one: one.higher, 2, cells))
        words = "better than all, by more than the interval of the difference"
        lines.append(_bar(asked, words, mine, lambda one: one.better, 2, cells))
    return "\n".join(lines)


def _bar(
    asked: int,
    words: str,
    mine: Sequence[Verdict],
    good: Callable[[Verdict], bool],
    wanted: int,
    cells: int,
) -> str:
    met = sum(map(good, mine))
    state = "met" if met >= wanted else "not met" if len(mine) == cells else "not yet known"
    return f"- {asked} evaluations, {words}: in {met} of {cells} cells, {wanted} wanted: {state}."
