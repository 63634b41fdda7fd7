"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from rich.table import Table
from rich.text import Text

from experiments.report.comparison import Comparison, compare, gone_groups
from experiments.report.drawing import score_axis_title
from experiments.report.seeds import DIGITS, averaged, with_interval
from experiments.runs import RunResult, Scores
from experiments.terminal import MISSING, cost_name, count, measure, percent, printable, scored

Row = Sequence[RunResult]
"""What one line of the table tells of: a run, or the runs of one strategy."""

HEADINGS = {"macs": "MACs"}
"""Costs that are headed by more than their short names."""


def results_table(results: Sequence[RunResult]) -> Table:
    """Strategies below each other; fits 80 columns where their names are short.

    Scores are pairs: on held-out samples / on test samples; of a strategy with several seeds means
    on the latter. Costs are what is left of the unpruned network's; seconds are the search's own.
    Where speed was measured, or with more than two costs, the score of the unpruned network stands
    below.

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
        for label, runs in _rows(comparison):
            name = Text(label + "*" * any(run.tuned_steps for run in runs))
            table.add_row(name, *(Text(cell(runs)) for cell in columns.values()))
    return table


def _rows(comparison: Comparison) -> list[tuple[str, Row]]:
    """One for each strategy with several seeds, else one for each run."""
    if found := averaged(comparison):
        return [(one.series.label, one.results) for one in found]
    return [(run.label, [run.result]) for run in comparison.runs]


def _columns(results: Sequence[RunResult]) -> dict[str, Callable[[Row], str]]:
    """Headings, and what stands below each."""
    costs = _costs(results)
    paced = any(result.pace or result.latency for result in results)
    columns: dict[str, Callable[[Row], str]] = {
        "times\nas fast": _times,
        "before": lambda runs: _pair([run.unpruned for run in runs]),
        "after\nsearch": lambda runs: _pair([run.searched for run in runs]),
        "after\nfine-tuning": lambda runs: _pair([run.finetuned for run in runs]),
        **{f"{HEADINGS.get(name, name)}\nleft": partial(_left, cost=name) for name in costs},
        "evals": lambda runs: f"{fmean(len(run.evaluations) for run in runs):.0f}",
        "search\nseconds": _seconds,
    }
    if not paced:
        del columns["times\nas fast"]
    if paced or len(costs) > 2 or any(map(averaged, compare(results))):
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


def _times(runs: Row) -> str:
    times = [_times_of(run) for run in runs]
    return _mean(times, lambda value: f"{value:.2f}")


def _times_of(run: RunResult) -> float | None:
    if run.latency is not None:
        return 1 / run.latency.fraction
    return None if run.pace is None else run.pace.times[1]


def _seconds(runs: Row) -> str:
    return _mean([run.seconds.get("search") for run in runs], lambda value: f"{value:.1f}")


def _pair(found: Sequence[Scores | None]) -> str:
    """On held-out and on test samples; of several runs the mean on those that judge."""
    there = [one for one in found if one is not None]
    if len(there) < len(found):
        return MISSING
    if len(there) > 1:
        return with_interval([one.final for one in there])
    (one,) = there
    both = (one.holdout,) if one.test is None else (one.holdout, one.test)
    return "/".join(scored(value, DIGITS) for value in both)


def _left(runs: Row, cost: str) -> str:
    found = [run.told_costs.get(cost) for run in runs]
    return _mean([None if one is None else one.fraction for one in found], percent)


def _mean(values: Sequence[float | None], told: Callable[[float], str]) -> str:
    there = [value for value in values if value is not None]
    return told(fmean(there)) if len(there) == len(values) else MISSING


def _caption(comparisons: Sequence[Comparison], score: bool) -> Text:
    lines = list(dict.fromkeys(map(_measured, comparisons)))
    lines += [_unpruned(comparison, score) for comparison in comparisons]
    runs = [run for comparison in comparisons for run in comparison.runs]
    steps = [f"{run.label}: {run.result.tuned_steps:,}" for run in runs if run.result.tuned_steps]
    if steps:
        lines.append(f"* gradient steps inside the search: {'; '.join(steps)}")
    if gone := list(filter(None, map(_gone, comparisons))):
        lines.append(f"gone as a whole, with their branches: {'; '.join(gone)}")
    return Text("\n".join(lines))


def _gone(comparison: Comparison) -> str:
    """Groups of which nothing is left; over several seeds how many, in the mean."""
    if found := averaged(comparison):
        means = [(one.series.label, one.mean(lambda run: len(gone_groups(run)))) for one in found]
        whole = len(comparison.runs[0].result.groups)
        told = [f"{label}: {mean:.1f} of {whole} groups" for label, mean in means if mean]
        return ", ".join(told)
    each = [(run.label, gone_groups(run.result)) for run in comparison.runs]
    return "; ".join(f"{label}: {', '.join(map(printable, gone))}" for label, gone in each if gone)


def _measured(comparison: Comparison) -> str:
    """What the pairs are of."""
    tested = comparison.runs[0].result.unpruned.test is not None
    if found := averaged(comparison):
        where = "test" if tested else "held-out"
        seeds = count(len(found[0].runs), "seed")
        return (
            score_axis_title(comparison.score, f"on {where} samples")
            + f", mean of {seeds} ± half of its 95% interval"
        )
    return score_axis_title(comparison.score, f"on held-out{' / test' if tested else ''} samples")


def _unpruned(comparison: Comparison, score: bool) -> str:
    result = comparison.runs[0].result
    before = _pair([result.unpruned])
    if averaged(comparison):
        before = scored(result.unpruned.final, DIGITS)
    amounts = [
        f"{measure(cost.unpruned, cost.unit)} {cost_name(name)}"
        for name, cost in result.costs.items()
    ]
    words = [f"{printable(result.score.name)} {before}"] * score + amounts
    return f"{comparison.title}, unpruned: {', '.join(words)}"
