"""The figures at the top: what one run made of its network, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.report.comparison import Comparison, Run
from experiments.report.headline import final, with_unit
from experiments.report.speed import speed
from experiments.terminal import MISSING, cost_name, measure, percent, printable, scored


@dataclass(frozen=True)
class Tile:
    """One figure.

    Args:
        label: What it is.
        value: The figure itself.
        detail: What it was before.
    """

    label: str
    value: str
    detail: str


def tiles(run: Run, comparison: Comparison) -> list[Tile]:
    """Score, the costs that are limited, what is stored, and speed."""
    costs = list(dict.fromkeys((*comparison.costs, "params", "size")))
    seeds = len({one.result.seed for one in comparison.runs_of(run.series)})
    return [
        _score(run, f" (seed {run.result.seed})" if seeds > 1 else ""),
        *_costs(run, costs),
        _speed(run),
    ]


def _score(run: Run, which: str) -> Tile:
    reached, before = final(run.result).final, run.result.unpruned
    where = "held-out" if before.test is None else "test"
    name = printable(run.result.score.name)
    return Tile(
        f"{name} on {where} samples{which}",
        with_unit(scored(reached), run.result.score),
        f"before {with_unit(scored(before.final), run.result.score)}",
    )


def _costs(run: Run, names: Sequence[str]) -> list[Tile]:
    told = run.result.told_costs
    found = [(name, told[name]) for name in names if name in told]
    return [
        Tile(
            f"{cost_name(name)} left",
            percent(change.fraction),
            f"{measure(change.pruned, change.unit)}, before "
            f"{measure(change.unpruned, change.unit)}",
        )
        for name, change in found
    ]


def _speed(run: Run) -> Tile:
    found = speed(run)
    if found is None:
        how = "; “How do I use it?” tells how" if run.result.dataset else ""
        return Tile("measured speed", MISSING, f"not measured yet{how}")
    return Tile("measured speed", f"{found.times:.2f}×", f"{found.verdict}: {found.passes}")
