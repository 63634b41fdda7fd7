"""What a command says in the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.report import results_table, slow_sentence
from experiments.runs import RunResult
from experiments.settings import OutputSettings


def conclude(results: Sequence[RunResult], output: OutputSettings, console: Console) -> None:
    """Print what is no faster, the results side by side, and where their report is."""
    for result in results:
        if slow := slow_sentence(result.strategy, result):
            console.print(slow, soft_wrap=True)
    console.print(results_table(results))
    console.print(f"report: {Path(output.out) / 'report.html'}", soft_wrap=True)
