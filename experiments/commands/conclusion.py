"""What a command says in the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.report import (
    choice_sentence,
    over_seeds,
    proof_sentence,
    results_table,
    slow_sentence,
    worse_sentence,
)
from experiments.runs import RunResult
from experiments.settings import OutputSettings


def conclude(results: Sequence[RunResult], output: OutputSettings, console: Console) -> None:
    """Print what is no faster, the results, who is ahead over seeds, and where the report is."""
    for result in results:
        seed = f", seed {result.seed}" if len({one.seed for one in results}) > 1 else ""
        label = f"{result.strategy}{seed}"
        for sentence in (
            proof_sentence(label, result),
            choice_sentence(label, result),
            slow_sentence(label, result),
            worse_sentence(label, result),
        ):
            if sentence:
                console.print(sentence, soft_wrap=True)
    console.print(results_table(results))
    for sentence in over_seeds(results):
        console.print(sentence, soft_wrap=True)
    console.print(f"report: {Path(output.out) / 'report.html'}", soft_wrap=True)
