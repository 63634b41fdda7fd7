"""The problem that a search solves, from settings."""

from __future__ import annotations

import time

from rich.console import Console

from amc.graph import PruningGraph
from amc.problem import Problem
from amc.pruning import decisions
from amc.tasks import Samples
from experiments.latency import measures, terms_of
from experiments.settings import CutSettings, SearchingSettings
from experiments.terminal import TRACING, told_if_slow
from experiments.zoo import Workload


def prepare(
    config: SearchingSettings, workload: Workload, console: Console
) -> tuple[Problem, float]:
    """The problem that a search solves, and the seconds that it took to set up."""
    start = time.perf_counter()
    asked = config.problem
    unit = asked.granularity
    with told_if_slow(console, TRACING):
        graph = decisions(workload.model, workload.example, unit, asked.exclude)
    rounding = unit.rounding(asked.multiple, asked.max_ratio, depth=not asked.no_depth)
    agreed = terms_of(config, workload.model, graph, rounding)
    for note in (*agreed.notes, *_uncounted(graph)):
        console.print(note, soft_wrap=True)
    holdout = workload.splits.holdout
    if asked.search_images:
        holdout = holdout.take(slice(0, asked.search_images))
    problem = Problem(
        workload.model,
        workload.example,
        asked.budget,
        holdout=holdout,
        calibration=calibration(config.cut, workload),
        train=workload.splits.train,
        criterion=asked.criterion,
        rounding=agreed.rounding,
        granularity=unit,
        exclude=asked.exclude,
        seed=config.network.seed,
        costs=agreed.costs,
        graph=graph,
        racing=asked.racing,
        measure=measures(config, workload, graph, agreed),
    )
    return problem, time.perf_counter() - start


def _uncounted(graph: PruningGraph) -> tuple[str, ...]:
    """What counts of MACs leave out, said before anything is searched."""
    if not graph.uncounted:
        return ()
    told = ", ".join(f"{name} ({share:.1%})" for name, share in graph.uncounted)
    return (
        "MACs and energy leave out what these operations multiply, as PyTorch's counter does; "
        f"behind each its part of the numbers that a forward pass makes: {told}",
    )


def calibration(cut: CutSettings, workload: Workload) -> Samples | None:
    """The training images that the refit reads; the same for every command and seed."""
    if not cut.calibration_images:
        return None
    return workload.splits.train.take(slice(0, cut.calibration_images))
