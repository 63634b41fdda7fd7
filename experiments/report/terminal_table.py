"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rich.table import Table
from rich.text import Text

from experiments.report.comparison import Comparison, compare, gone_groups
from experiments.report.drawing import score_axis_title
from experiments.runs import RunResult, Scores
from experiments.terminal import MISSING, cost_name, measure, percent, printable, scored

HEADINGS = {"macs": "MACs"}
"""Costs that are headed by more than their short names."""


def results_table(results: Sequence[RunResult]) -> Table:
    """Strategies below each other; fits 80 columns where their names are short.

    Scores, in [0, 1], are pairs: on held-out images / on test images. Costs are what is left of
    the unpruned network's; seconds are the search's own. Where speed was measured, or with more
    than two costs, the score of the unpruned network stands below.

    Raises:
        ValueError: if there are no results.
    """
    comparisons, columns = compare(results), _columns(results)
    caption = _caption(comparisons, score="before" not in columns)
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    table.add_column("strategy", overflow="fold")
    for heading in columns:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for comparison in comparisons:
        if len(comparisons) > 1:
            table.add_row(Text(comparison.title, style="bold"))
        for run in comparison.runs:
            name = Text(run.label + "*" * bool(run.result.tuned_steps))
            table.add_row(name, *(Text(cell(run.result)) for cell in columns.values()))
    return table


def _columns(results: Sequence[RunResult]) -> dict[str, Callable[[RunResult], str]]:
    """Headings, and what stands below each."""
    costs = _costs(results)
    paced = any(result.pace or result.latency for result in results)
    columns: dict[str, Callable[[RunResult], str]] = {
        "times\nas fast": _times,
        "before": lambda result: _pair(result.unpruned),
        "after\nsearch": lambda result: _pair(result.searched),
        "after\nfine-tuning": lambda result: _pair(result.finetuned),
        **{f"{HEADINGS.get(name, name)}\nleft": partial(_left, cost=name) for name in costs},
        "evals": lambda result: str(len(result.evaluations)),
        "search\nseconds": _seconds,
    }
    if not paced:
        del columns["times\nas fast"]
    if paced or len(costs) > 2:
        del columns["before"]
    if len(costs) > 2 and not any(result.finetuned for result in results):
        del columns["after\nfine-tuning"]
    return columns


def _costs(results: Sequence[RunResult]) -> list[str]:
    """Which costs to show: those that budgets limit, and at least two of them all."""
    limited = dict.fromkeys(budget.cost for result in results for budget in result.budgets)
    # Masks leave the MACs as they are.
    masked = all(result.granularity.masks for result in results)
    usual = ("params", "size") if masked else ("macs", "params")
    return list(dict.fromkeys((*limited, *usual)))[: max(2, len(limited))]


def _times(result: RunResult) -> str:
    if result.latency is not None:
        return f"{1 / result.latency.fraction:.2f}"
    return MISSING if result.pace is None else f"{result.pace.times[1]:.2f}"


def _seconds(result: RunResult) -> str:
    return f"{result.seconds['search']:.1f}" if "search" in result.seconds else MISSING


def _pair(found: Scores | None) -> str:
    if found is None:
        return MISSING
    both = (found.holdout,) if found.test is None else (found.holdout, found.test)
    return "/".join(scored(one, 3) for one in both)


def _left(result: RunResult, cost: str) -> str:
    return percent(result.costs[cost].fraction) if cost in result.costs else MISSING


def _caption(comparisons: Sequence[Comparison], score: bool) -> Text:
    lines = list(dict.fromkeys(map(_measured, comparisons)))
    lines += [_unpruned(comparison, score) for comparison in comparisons]
    runs = [run for comparison in comparisons for run in comparison.runs]
    steps = [f"{run.label}: {run.result.tuned_steps:,}" for run in runs if run.result.tuned_steps]
    if steps:
        lines.append(f"* gradient steps inside the search: {'; '.join(steps)}")
    gone = [f"{run.label}: {', '.join(map(printable, gone_groups(run.result)))}" for run in runs]
    gone = [words for words, run in zip(gone, runs, strict=True) if gone_groups(run.result)]
    if gone:
        lines.append(f"gone as a whole, with their branches: {'; '.join(gone)}")
    return Text("\n".join(lines))


def _measured(comparison: Comparison) -> str:
    """What the pairs are of."""
    tested = comparison.runs[0].result.unpruned.test is not None
    return score_axis_title(comparison.score, f"on held-out{' / test' if tested else ''} samples")


def _unpruned(comparison: Comparison, score: bool) -> str:
    result = comparison.runs[0].result
    amounts = [
        f"{measure(cost.unpruned, cost.unit)} {cost_name(name)}"
        for name, cost in result.costs.items()
    ]
    words = [f"{printable(result.score.name)} {_pair(result.unpruned)}"] * score + amounts
    return f"{comparison.title}, unpruned: {', '.join(words)}"
