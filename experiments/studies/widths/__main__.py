"""Are smaller networks faster, at the counts that are legal unasked?

Networks of the zoo with random weights are cut by uniform ratios under three budgets of MACs, at
the counts that `--round-to auto` leaves, and under one at single channels. Whole networks are
timed, in turns, in onnxruntime and in PyTorch. It needs the environment of `make test-zoo`, and a
machine that does nothing else. A network that is slower somewhere is timed once more, because a
machine that others share is slow at times: slower is what is so both times. Every timing is a line
of the file, and the same command goes on (with `--anew` from the start).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product

import numpy as np

from amc.parsing import read_record
from experiments.disk import Rows, in_short, machine
from experiments.studies.apart import answer
from experiments.studies.architectures.networks import TIMED
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.studies.widths.timing import (
    AUTO,
    BATCHES,
    CUTS,
    RUNTIMES,
    SINGLE,
    THREADS,
    Cell,
)
from experiments.terminal import count, percent

HERE = "experiments.studies.widths"
PAGE, ROWS = DOCS / "latency.md", DOCS / "figures" / "widths.jsonl"
KEYS = ("name", "again")


def main(words: Sequence[str] | None = None) -> int:
    """Time the networks that the file does not have; 1 where one of them becomes slower."""
    asked = parser_of(HERE, __doc__, ROWS, TIMED, timeout=900).parse_args(words)
    names, rows = asked.networks.split(","), rows_of(asked, *KEYS)
    for name in names:
        _time(name, rows, asked.timeout, again=False)
        if slower(_cells(rows, name, again=False)):
            _time(name, rows, asked.timeout, again=True)
    print(text := told(rows, names))
    if asked.docs:
        put(PAGE, "widths", text)
    failed = any(rows.known()[name, False]["error"] for name in names)
    return 1 if failed or any(twice_slower(rows, name) for name in names) else 0


def told(rows: Rows, names: Iterable[str]) -> str:
    """Both tables, what stays slower, what failed, and where it was timed."""
    lines = [rows.known()[name, False] for name in names]
    cells = [cell for line in lines for cell in _cells(rows, line["name"], again=False)]
    left = [cell for line in lines for cell in twice_slower(rows, line["name"])]
    failed = [f"{line['name']}: {line['error']}" for line in lines if line["error"]]
    made = "; ".join(dict.fromkeys(in_short(line["machine"]) for line in lines))
    tables = [by_setting(cells), by_network(cells), *_slower_told(cells, left)]
    return "\n\n".join([*tables, *failed, f"{made}."])


def _time(name: str, rows: Rows, timeout: float, *, again: bool) -> None:
    """Write a line of the file, if it is not there."""
    if (name, again) in rows.known():
        return
    found = {"cells": [], "error": "", **answer(f"{HERE}.timing", [name], timeout)}
    rows.add({"name": name, "again": again, **found, "machine": machine("cpu")})
    print(f"{name}: {found['error'] or 'timed'}{' once more' if again else ''}", flush=True)


def _cells(rows: Rows, name: str, *, again: bool) -> list[Cell]:
    line = rows.known().get((name, again), {"cells": ()})
    return [read_record(Cell, one) for one in line["cells"]]


def twice_slower(rows: Rows, name: str) -> list[Cell]:
    """Cells of the second timing that were slower in the first as well."""
    first = {cell.where for cell in slower(_cells(rows, name, again=False))}
    return [cell for cell in slower(_cells(rows, name, again=True)) if cell.where in first]


def slower(cells: Iterable[Cell]) -> list[Cell]:
    """Those at the counts of `auto` that take longer than before, beyond the noise."""
    return [cell for cell in cells if cell.counts == AUTO and cell.slower]


def saved(cells: Sequence[Cell]) -> float:
    """Median saving of time, as a part of the saving of MACs."""
    return float(np.median([(1 - cell.left) / (1 - cell.macs) for cell in cells]))


def by_setting(cells: Sequence[Cell]) -> str:
    """What became of the time in each setting, over all networks."""
    heads = ("setting", *(f"{counts}, `macs={budget}`" for budget, counts in CUTS))
    heads = (*heads, f"{AUTO}: saved of time / of MACs", f"{AUTO}: slower", f"{SINGLE}: slower")
    rows = []
    for runtime, threads, batch in product(RUNTIMES, THREADS, BATCHES):
        here = [
            cell
            for cell in cells
            if (cell.runtime, cell.threads, cell.batch) == (runtime, threads, batch)
        ]
        if here:
            where = f"{runtime}, {count(threads, 'thread')}, batch {batch}"
            rows.append((where, *_summed(here)))
    return markdown(heads, [*rows, ("all", *_summed(cells))])


def _summed(cells: Sequence[Cell]) -> tuple[str, ...]:
    auto = [cell for cell in cells if cell.counts == AUTO]
    single = [cell for cell in cells if cell.counts == SINGLE]
    medians = [
        percent(float(np.median([cell.left for cell in cells if _is(cell, *cut)]))) for cut in CUTS
    ]
    return (
        *medians,
        f"{saved(auto):.2f}",
        f"{len(slower(auto))} of {len(auto)}",
        f"{sum(cell.slower for cell in single)} of {len(single)}",
    )


def _is(cell: Cell, budget: float, counts: str) -> bool:
    return (cell.budget, cell.counts) == (budget, counts)


def by_network(cells: Sequence[Cell]) -> str:
    """What is left of each network's MACs, and of its time: medians over the settings."""
    heads = ("network", *(f"{counts}, `macs={budget}`" for budget, counts in CUTS))
    told: Callable[[Sequence[Cell]], str] = lambda own: (  # noqa: E731
        f"{percent(float(np.median([cell.left for cell in own])))}, MACs {percent(own[0].macs)}"
    )
    names = dict.fromkeys(cell.name for cell in cells)
    return markdown(
        heads,
        [
            (
                name,
                *(
                    told([cell for cell in cells if cell.name == name and _is(cell, *cut)])
                    for cut in CUTS
                ),
            )
            for name in names
        ],
    )


def _slower_told(cells: Sequence[Cell], left: Sequence[Cell]) -> list[str]:
    """Which were slower, and which of them a second time."""
    once = slower(cells)
    if not once:
        return []
    found = [
        f"{cell.name} at `macs={cell.budget}` takes {percent(cell.left)} of its time in "
        f"{cell.runtime} with {count(cell.threads, 'thread')}, batch {cell.batch}"
        for cell in sorted(left, key=lambda cell: -cell.left)
    ]
    return [
        f"Of the {len(once)} that were slower beyond the noise, {len(left)} "
        f"{'was' if len(left) == 1 else 'were'} so once more"
        f"{': ' if found else ''}{'; '.join(found)}."
    ]


if __name__ == "__main__":
    sys.exit(main())
