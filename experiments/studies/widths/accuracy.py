"""What whole blocks cost in accuracy: `python -m experiments.studies.widths.accuracy`.

Uniform ratios at the counts that `--round-to auto` leaves and at single channels, under equal
budgets of MACs and with equal fine-tuning. Every run is a line of the file, and the same command
goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from amc.policy import Budget
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
from experiments.statistics import half_difference, mean_and_interval
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.studies.rows import Rows

NETWORKS = {"resnet20": 1.0, "mobilenet-v1": 0.5}
"""With the widths that the project has weights for."""

BUDGETS = (0.5, 0.25)
COUNTS = (1, AUTO)
SEEDS = 3
EPOCHS = 1.0

HERE = "experiments.studies.widths.accuracy"
DOCS = Path(__file__).parents[3] / "docs"
PAGE, ROWS = DOCS / "latency.md", DOCS / "figures" / "widths-accuracy.jsonl"

Line = Mapping[str, Any]


def main(words: Sequence[str] | None = None) -> int:
    """Run what is left, and print the table."""
    parser = argparse.ArgumentParser(prog=f"python -m {HERE}", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="(default: %(default)s)")
    parser.add_argument("--runs", default="runs/widths", help="(default: %(default)s)")
    parser.add_argument("--out", default=str(ROWS), help=f"(default: docs/figures/{ROWS.name})")
    parser.add_argument("--anew", action="store_true", help="forget what the file has")
    parser.add_argument("--docs", action="store_true", help="write the table into the docs")
    asked = parser.parse_args(words)
    console = Console(markup=False, highlight=False)
    rows = Rows(Path(asked.out), ("network", "budget", "counts", "seed"))
    if asked.anew:
        rows.forget()
    cases: Iterable[tuple[str, float, int | str, int]] = product(
        NETWORKS, BUDGETS, COUNTS, range(asked.seeds)
    )
    for case in cases:
        if case not in rows.known():
            result = result_of(*case, Path(asked.runs), console)
            rows.add({**dict(zip(rows.keys, case, strict=True)), **_scores(result)})
    found, seeds = rows.known(), range(asked.seeds)
    told = [
        _row(name, budget, *([found[name, budget, c, s] for s in seeds] for c in COUNTS))
        for name, budget in product(NETWORKS, BUDGETS)
    ]
    heads = ("network", "budget", "single, cut", "auto, cut", "single, tuned", "auto, tuned")
    made = "; ".join(dict.fromkeys(str(row["machine"]) for row in found.values()))
    text = f"{markdown((*heads, 'difference, tuned'), told)}\n\n{asked.seeds} seeds; {made}."
    print(text)
    if asked.docs:
        put(PAGE, "accuracy of widths", text)
    return 0


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
    tuned, made = result.finetuned, result.machine
    return {
        "macs": result.costs["macs"].fraction,
        "cut": result.searched.test,
        "tuned": tuned and tuned.test,
        "machine": f"torch {made['torch']}, {made['processor']}",
    }


def _row(name: str, budget: float, single: Sequence[Line], auto: Sequence[Line]) -> tuple[str, ...]:
    cut, tuned = (
        [[line[when] for line in lines] for lines in (single, auto)] for when in ("cut", "tuned")
    )
    before, after = (mean_and_interval(values)[0] for values in tuned)
    return (
        name,
        f"`macs={budget}`",
        *map(_told, (*cut, *tuned)),
        f"{after - before:+.4f} ± {half_difference(tuned[1], tuned[0]):.4f}",
    )


def _told(values: Sequence[float]) -> str:
    middle, half = mean_and_interval(values)
    return f"{middle:.4f} ± {half:.4f}"


if __name__ == "__main__":
    sys.exit(main())
