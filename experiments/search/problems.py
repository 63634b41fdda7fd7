"""The problem that a search solves, from settings."""

from __future__ import annotations

import time

from rich.console import Console

from amc.costs import MODELLED
from amc.graph import PruningGraph
from amc.problem import Problem
from amc.pruning import decisions
from amc.tasks import Data, Indexed, Task, few, replace_parts
from amc.workers import InTurn, Processes, Workers
from experiments.cluster import RayWorkers, connect
from experiments.latency import measures, terms_of
from experiments.search.earlier import knowing_earlier
from experiments.settings import CutSettings, SearchingSettings, TrustSettings, WorkSettings
from experiments.terminal import TRACING, told_if_slow
from experiments.zoo import HELD, ImageFiles, Workload


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
    modelled = [MODELLED[one.cost] for one in asked.budget if one.cost in MODELLED]
    for note in (*agreed.notes, *modelled, *_uncounted(graph)):
        console.print(note, soft_wrap=True)
    problem = Problem(
        workload.model,
        workload.example,
        asked.budget,
        task_for(config.cut, workload, asked.search_images),
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
    if isinstance(config, TrustSettings):
        return problem, time.perf_counter() - start
    if config.earlier.from_:
        problem = knowing_earlier(problem, config, workload, console)
    if config.work.together > 1 or config.work.workers > 1:
        problem = problem.with_workers(_workers(config.work, console))
    return problem, time.perf_counter() - start


def _workers(work: WorkSettings, console: Console) -> Workers:
    """Who measures candidates."""
    if work.ray:
        connect(work.ray, work.workers, console)
        return RayWorkers(work.workers if work.workers > 1 else 0)
    return Processes(work.workers) if work.workers > 1 else InTurn()


def _uncounted(graph: PruningGraph) -> tuple[str, ...]:
    """What counts of MACs leave out, said before anything is searched."""
    if not graph.uncounted:
        return ()
    told = ", ".join(f"{name} ({share:.1%})" for name, share in graph.uncounted)
    return (
        "MACs and energy leave out what these operations multiply, as PyTorch's counter does; "
        f"behind each its part of the numbers that a forward pass makes: {told}",
    )


def first_of(task: Task, count: int) -> Task:
    """The task with the first of its training samples, or else of its calibration data."""
    data = task.train_loader if isinstance(task.train_loader, Indexed) else task.data_loader
    some = None if data is None else held_if_small(few(data, count))
    return replace_parts(task, data_loader=some)


def held_if_small(data: Data) -> Data:
    """Images that a search reads again and again are decoded once, where memory takes them."""
    return data.held() if isinstance(data, ImageFiles) and data.nbytes <= HELD else data


def task_for(cut: CutSettings, workload: Workload, searched: int = 0) -> Task:
    """The workload's task with as many samples as the settings say; the same for every seed.

    Args:
        cut: Says how many the refit reads; 0 leaves it out.
        workload: With the task.
        searched: Samples that candidates are scored on at most; 0 takes all.
    """
    task = workload.task
    number = cut.calibration_images
    cut_down = first_of(task, number) if number else replace_parts(task, data_loader=None)
    if not searched or task.score_loader is None:
        return cut_down
    some = held_if_small(few(task.score_loader, searched))
    return replace_parts(cut_down, score_loader=some)
