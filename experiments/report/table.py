"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from experiments.report.comparison import Comparison, Run, compare
from experiments.report.formats import MISSING, amount, percent
from experiments.results import Accuracies, RunResult

COSTS = {"macs": "MACs", "params": "params", "size": "bytes"}
"""Short names of the costs that the table can show, and their headings."""


def results_table(results: Sequence[RunResult]) -> Table:
    """Strategies below each other; fits 80 columns where their names are short.

    Accuracies, in [0, 1], are pairs: on held-out images / on test images. Costs are what is left of
    the unpruned network's; seconds are the search's own.

    Raises:
        ValueError: if there are no results.
    """
    comparisons = compare(results)
    table = Table(box=None, pad_edge=False, caption=_caption(comparisons), caption_justify="left")
    table.add_column("strategy", overflow="fold")
    for heading in ("before", "after\nsearch", "after\nfine-tuning"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    costs = _costs(results)
    for heading in (*(f"{COSTS[name]}\nleft" for name in costs), "evals", "search\nseconds"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for comparison in comparisons:
        if len(comparisons) > 1:
            table.add_row(Text(comparison.title, style="bold"))
        for run in comparison.runs:
            table.add_row(*_cells(run, costs))
    return table


def _costs(results: Sequence[RunResult]) -> tuple[str, str]:
    """Which costs to show: masks leave the MACs as they are."""
    masked = all(result.granularity != "channel" for result in results)
    return ("params", "size") if masked else ("macs", "params")


def _cells(run: Run, costs: Sequence[str]) -> list[Text]:
    result = run.result
    steps = (result.unpruned, result.searched, result.finetuned)
    left = [_left(result, cost) for cost in costs]
    seconds = result.seconds.get("search")
    taken = MISSING if seconds is None else f"{seconds:.1f}"
    words = [*map(_pair, steps), *left, str(len(result.evaluations)), taken]
    return [Text(run.label + "*" * bool(result.tuned_steps)), *map(Text, words)]


def _pair(accuracies: Accuracies | None) -> str:
    return f"{accuracies.holdout:.3f}/{accuracies.test:.3f}" if accuracies else MISSING


def _left(result: RunResult, cost: str) -> str:
    return percent(result.costs[cost].fraction) if cost in result.costs else MISSING


def _caption(comparisons: Sequence[Comparison]) -> Text:
    lines = ["accuracy on held-out / test images"]
    lines += [_unpruned(comparison) for comparison in comparisons]
    runs = [run for comparison in comparisons for run in comparison.runs]
    steps = [f"{run.label}: {run.result.tuned_steps:,}" for run in runs if run.result.tuned_steps]
    if steps:
        lines.append(f"* gradient steps inside the search: {'; '.join(steps)}")
    return Text("\n".join(lines))


def _unpruned(comparison: Comparison) -> str:
    costs = comparison.runs[0].result.costs.values()
    amounts = ", ".join(f"{amount(cost.unpruned)} {cost.unit}" for cost in costs)
    return f"{comparison.title}, unpruned: {amounts}"
