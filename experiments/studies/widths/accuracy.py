"""What whole blocks cost in accuracy: `python -m experiments.studies.widths.accuracy`.

Uniform ratios at the counts that `--round-to auto` leaves and at single channels, under equal
budgets of MACs and with equal fine-tuning. Every run is a line of the file, and the same command
goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from amc.policy import Budget
from experiments.disk import Rows, in_short
from experiments.runs import RunResult
from experiments.search import search
from experiments.settings import (
    AUTO,
    MeasureSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.statistics import Mean, difference
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.markdown import markdown
from experiments.studies.pages import put

NETWORKS = {"resnet20": 1.0, "mobilenet-v1": 0.5}
"""With the widths that the project has weights for."""

BUDGETS = (0.5, 0.25)
COUNTS = (1, AUTO)
SEEDS = 3
EPOCHS = 1.0

HERE = "experiments.studies.widths.accuracy"
PAGE, ROWS = DOCS / "latency.md", DOCS / "figures" / "widths-accuracy.jsonl"
KEYS = ("network", "budget", "counts", "seed")

Line = Mapping[str, Any]


def main(words: Sequence[str] | None = None) -> int:
    """Run what is left, and print the table."""
    parser = parser_of(HERE, __doc__, ROWS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="(default: %(default)s)")
    parser.add_argument("--runs", default="runs/widths", help="(default: %(default)s)")
    asked = parser.parse_args(words)
    console, rows = Console(markup=False, highlight=False), rows_of(asked, *KEYS)
    cases: Iterable[tuple[str, float, int | str, int]] = product(
        NETWORKS, BUDGETS, COUNTS, range(asked.seeds)
    )
    for case in cases:
        if case not in rows.known():
            result = result_of(*case, Path(asked.runs), console)
            rows.add({**dict(zip(KEYS, case, strict=True)), **_scores(result)})
    print(text := told(rows, asked.seeds))
    if asked.docs:
        put(PAGE, "accuracy of widths", text)
    return 0


def told(rows: Rows, seeds: int) -> str:
    """The table, and what it was made with."""
    found = rows.known()
    lines = [
        _row(name, budget, *([found[name, budget, c, s] for s in range(seeds)] for c in COUNTS))
        for name, budget in product(NETWORKS, BUDGETS)
    ]
    heads = ("network", "budget", "single, cut", "auto, cut", "single, tuned", "auto, tuned")
    made = "; ".join(dict.fromkeys(str(row["machine"]) for row in found.values()))
    return f"{markdown((*heads, 'difference, tuned'), lines)}\n\n{seeds} seeds; {made}."


def result_of(
    name: str, budget: float, counts: int | str, seed: int, runs: Path, console: Console
) -> RunResult:
    """One run; what of it is there already is not done again."""
    return search(
        SearchSettings(
            network=NetworkSettings(name, "fashion-mnist", width=NETWORKS[name], seed=seed),
            problem=ProblemSettings(budget=(Budget("macs", budget),), round_to=counts),  # type: ignore[arg-type]
            tuning=TuningSettings(finetune_epochs=EPOCHS),
            ending=MeasureSettings(no_measure=True),
            output=OutputSettings(str(runs / f"{name}-{budget}-{counts}-{seed}")),
            strategy="uniform",
        ),
        console,
    )


def _scores(result: RunResult) -> dict[str, object]:
    tuned = result.finetuned
    return {
        "macs": result.costs["macs"].fraction,
        "cut": result.searched.test,
        "tuned": tuned and tuned.test,
        "machine": in_short(result.machine),
    }


def _row(name: str, budget: float, single: Sequence[Line], auto: Sequence[Line]) -> tuple[str, ...]:
    cut, tuned = (
        [[line[when] for line in lines] for lines in (single, auto)] for when in ("cut", "tuned")
    )
    means = [str(Mean.of(values)) for values in (*cut, *tuned)]
    return name, f"`macs={budget}`", *means, difference(tuned[1], tuned[0])


if __name__ == "__main__":
    sys.exit(main())
