"""What a call from Python found, as the result and the page that a run leaves."""

from __future__ import annotations

from pathlib import Path

from amc import Pruned
from amc.costs import Size
from experiments.disk import machine, write_whole
from experiments.report import render
from experiments.runs import RunResult
from experiments.search.one_run import accuracies, cost_changes
from experiments.zoo import Splits


def write_report(found: Pruned, path: Path) -> None:
    """The page of what was found.

    Raises:
        ValueError: if there are no test samples.
    """
    write_whole(path, render([_result(found)]))


def write_result(found: Pruned, folder: Path) -> None:
    """The page, and the result that `amc report` reads.

    Raises:
        ValueError: if there are no test samples.
    """
    result = _result(found)
    write_whole(folder / "report.html", render([result]))
    result.save(folder / "result.json")


def _result(found: Pruned) -> RunResult:
    problem, best, data = found.problem, found.result.best, found.data
    if data.test is None:
        raise ValueError(
            "a report tells accuracy on samples that no step of the search saw, and there are "
            "none; give amc.search the data as amc.Classification(train, holdout, test)"
        )

    splits = Splits(data.train, data.holdout, data.test)
    return RunResult(
        strategy=found.strategy,
        model=type(problem.model).__name__,
        dataset="",
        seed=found.seed,
        budgets=found.budgets,
        unpruned=accuracies(problem.model, problem.graph, splits),
        searched=accuracies(found.network, problem.graph, splits),
        finetuned=None,
        costs=cost_changes(problem.costs, problem.graph.full, best.kept),
        groups=found.policy.groups,
        granularity=found.policy.granularity,
        stored=Size(problem.graph).table(best.kept),
        evaluations=found.outcomes,
        seconds={"search": found.result.seconds},
        tuned_steps=found.result.tuned_steps,
        images={
            "search": len(data.holdout),
            "holdout": len(data.holdout),
            "test": len(data.test),
        },
        machine=machine("cpu"),
    )
