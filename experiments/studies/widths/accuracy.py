"""What whole blocks cost in accuracy: `python -m experiments.studies.widths.accuracy`.

Uniform ratios at the counts that `--round-to auto` leaves and at single channels, under equal
budgets of MACs and with equal fine-tuning. Runs that are there already are taken as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from rich.console import Console

from amc.policy import Budget
from experiments.runs import RunResult
from experiments.search import search
from experiments.settings import (
    AUTO,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.statistics import half_difference, mean_and_interval
from experiments.studies.markdown import markdown

NETWORKS = ("resnet20", "mobilenet-v1")
BUDGETS = (0.5, 0.25)
SEEDS = 3
EPOCHS = 1.0


def main(words: Sequence[str] | None = None) -> int:
    """Run what is left, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default %(default)s")
    parser.add_argument("--runs", default="runs/widths", help="default %(default)s")
    asked = parser.parse_args(words)
    console, rows = Console(markup=False, highlight=False), []
    for name, budget in product(NETWORKS, BUDGETS):
        found = {
            counts: [
                result_of(name, budget, counts, seed, Path(asked.runs), console)
                for seed in range(asked.seeds)
            ]
            for counts in (1, AUTO)
        }
        rows.append(_row(name, budget, found[1], found[AUTO]))
    heads = ("network", "budget", "single, cut", "auto, cut", "single, tuned", "auto, tuned")
    print(markdown((*heads, "difference, tuned"), rows))
    return 0


def result_of(
    name: str, budget: float, counts: int | str, seed: int, runs: Path, console: Console
) -> RunResult:
    """One run, which is made if it is not there."""
    out = runs / f"{name}-{budget}-{counts}-{seed}"
    if not (out / "report.html").is_file():
        search(
            SearchSettings(
                network=NetworkSettings(name, "fashion-mnist", seed=seed),
                problem=ProblemSettings(budget=(Budget("macs", budget),), round_to=counts),  # type: ignore[arg-type]
                tuning=TuningSettings(finetune_epochs=EPOCHS),
                output=OutputSettings(str(out)),
                strategy="uniform",
            ),
            console,
        )
    return RunResult.load(out / "result.json")


def _row(
    name: str, budget: float, single: Sequence[RunResult], auto: Sequence[RunResult]
) -> tuple[str, ...]:
    cut = [[run.searched.test or 0.0 for run in runs] for runs in (single, auto)]
    tuned = [
        [run.finetuned.test or 0.0 for run in runs if run.finetuned] for runs in (single, auto)
    ]
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
