"""Strategies over several seeds: means, how sure they are, and who is ahead by more than chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.report.comparison import Comparison, Run, Series
from experiments.report.speed import speed
from experiments.runs import RunResult, Scores
from experiments.statistics import half_difference, half_interval
from experiments.terminal import MISSING, join_words, percent, scored

DIGITS = 3
PAGE_DIGITS = 4
"""Of a mean in a terminal's table, and on the page."""


@dataclass(frozen=True)
class Averaged:
    """The runs of one strategy under one budget.

    Args:
        series: How they are drawn.
        runs: With two different seeds at the least.
    """

    series: Series
    runs: tuple[Run, ...]

    @property
    def results(self) -> list[RunResult]:
        """Theirs."""
        return [run.result for run in self.runs]

    def mean(self, value: Callable[[RunResult], float]) -> float:
        """Of something that each run has."""
        return sum(map(value, self.results)) / len(self.runs)

    @property
    def verdicts(self) -> list[str]:
        """Of the runs that were timed."""
        return [one.verdict for run in self.runs if (one := speed(run))]

    @property
    def times(self) -> float | None:
        """How many times as fast the networks are, in the mean; None where one was not timed."""
        timed = [one.times for run in self.runs if (one := speed(run))]
        return sum(timed) / len(timed) if len(timed) == len(self.runs) else None


def averaged(comparison: Comparison) -> list[Averaged]:
    """Every series, where all have several seeds; nothing where one of them has a single one."""
    found = [Averaged(one, tuple(comparison.runs_of(one))) for one in comparison.series]
    several = all(len({run.result.seed for run in one.runs}) > 1 for one in found)
    return found if several else []


def with_interval(values: Sequence[float], digits: int = DIGITS) -> str:
    """The mean of runs ± half of its 95% interval."""
    return f"{scored(sum(values) / len(values), digits)}±{scored(half_interval(values), digits)}"


def mean_rows(comparison: Comparison) -> list[dict[str, object]]:
    """What the page's table of means has of each strategy; nothing without several seeds."""
    return [_mean_row(one, comparison.costs[0]) for one in averaged(comparison)]


def _mean_row(one: Averaged, cost: str) -> dict[str, object]:
    return {
        "series": one.series,
        "seeds": len(one.runs),
        "searched": with_interval(finals(one, lambda result: result.searched), PAGE_DIGITS),
        "tuned": _tuned(one),
        "left": percent(one.mean(lambda result: result.told_costs[cost].fraction)),
        "times": MISSING if one.times is None else f"{one.times:.2f}×",
    }


def _tuned(one: Averaged) -> str:
    tuned = [result.finetuned for result in one.results if result.finetuned]
    if len(tuned) < len(one.runs):
        return MISSING
    return with_interval([scores.final for scores in tuned], PAGE_DIGITS)


def finals(own: Averaged, step: Callable[[RunResult], Scores]) -> list[float]:
    """Scores on the samples that judge: of the test, or the held-out ones where there is none."""
    return [step(result).final for result in own.results]


def leads(winner: Averaged, others: Sequence[Averaged], step: Callable[[RunResult], Scores]) -> str:
    """How far one is ahead of each other one, and whether that is more than chance.

    Args:
        winner: Whose lead is told.
        others: At least one.
        step: Which scores of a run are compared.
    """
    sign = winner.runs[0].result.score.sign
    ours = finals(winner, step)
    return join_words([_lead(sign, ours, one, finals(one, step)) for one in others])


def _lead(sign: int, ours: Sequence[float], other: Averaged, theirs: Sequence[float]) -> str:
    ahead = sign * (sum(ours) / len(ours) - sum(theirs) / len(theirs))
    half = half_difference(ours, theirs)
    where = "ahead of" if ahead >= 0 else "behind"
    chance = "" if abs(ahead) > half else " (chance may give that)"
    return f"{scored(abs(ahead))} ± {scored(half)} {where} {other.series.label}{chance}"
