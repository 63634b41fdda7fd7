"""What a call from Python found, as the result and the page that a run leaves."""

from __future__ import annotations

from pathlib import Path

from amc import Pruned
from amc.costs import Size
from experiments.disk import machine, write_whole
from experiments.report import render
from experiments.runs import RunResult
from experiments.search.one_run import cost_changes, samples_of, scores_of


def write_report(found: Pruned, path: Path) -> None:
    """The page of what was found."""
    write_whole(path, render([_result(found)]))


def write_result(found: Pruned, folder: Path) -> None:
    """The page, and the result that `amc report` reads."""
    result = _result(found)
    write_whole(folder / "report.html", render([result]))
    result.save(folder / "result.json")


def _result(found: Pruned) -> RunResult:
    problem, best, task = found.problem, found.result.best, found.task
    return RunResult(
        strategy=found.strategy,
        model=type(problem.model).__name__,
        dataset="",
        seed=found.seed,
        budgets=found.budgets,
        unpruned=scores_of(problem.model, problem.graph, task),
        searched=scores_of(found.network, problem.graph, task),
        finetuned=None,
        costs=cost_changes(problem.costs, problem.graph.full, best.kept),
        groups=found.policy.groups,
        granularity=found.policy.granularity,
        stored=Size(problem.graph).table(best.kept),
        evaluations=found.outcomes,
        seconds={"search": found.result.seconds},
        tuned_steps=found.result.tuned_steps,
        samples=samples_of(task),
        score=task.score,
        machine=machine("cpu"),
    )
