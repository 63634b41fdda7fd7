"""`amc trust`: from a run, or a random search made for it, to the section in its report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from amc.finetuning import Recipe
from amc.history import Outcome
from amc.problem import Problem
from amc.tasks import Data, Samples, Task, few, replace_parts
from experiments.commands.trust.correlation import correlation
from experiments.commands.trust.measuring import RECALIBRATION, Meter
from experiments.commands.trust.sampling import sample_by_rank
from experiments.commands.trust.tried_policies import Journal
from experiments.disk import run_at, write_whole
from experiments.report import read_export, render, sentences
from experiments.runs import RunResult, Tried, Trust, folders_of_benchmark
from experiments.search import first_of, prepare, recipe_of, search
from experiments.settings import (
    NETWORK,
    CutSettings,
    NetworkSettings,
    ProblemSettings,
    SearchSettings,
    TrustSettings,
    check_network,
    flat,
    from_flat,
)
from experiments.terminal import Reporter, count
from experiments.zoo import Workload, load_workload

JOURNAL = "trust.jsonl"
"""In the run's folder, one fine-tuned policy a line."""

FEWEST = 3
"""Policies that have an order worth speaking of."""


def run(config: TrustSettings, console: Console) -> None:
    """What `amc trust` does."""
    trust(config, console)


def trust(config: TrustSettings, console: Console) -> Trust:
    """Fine-tune a sample of policies, say how well scores foretold them, write it into the run.

    Started again with the same settings, it goes on where it was stopped.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the run's evaluations cannot be tried, or flags do not go with it.
    """
    began = time.perf_counter()
    result = _random_run(config, console) if config.run is None else _run(config, config.run)
    folder = Path(result.config["out"] if config.run is None else config.run)
    own = from_flat(SearchSettings, result.config, others=True)
    seed = config.network.seed
    config = replace(
        config,
        network=replace(own.network, seed=result.seed),
        problem=own.problem,
        cut=own.cut,
        tuning=replace(
            config.tuning, recalibrate=config.tuning.recalibrate or own.tuning.recalibrate
        ),
    )
    network = replace(own.network, seed=seed)
    workload = load_workload(network, device=config.compute.device)
    problem, _ = prepare(config, workload, console)
    recipe = recipe_of(config.tuning, network, workload)
    meter = _meter(config, recipe, workload, problem)
    chosen = sample_by_rank(_usable(result, problem), config.policies, seed)
    terms = {**meter.terms(), "problem": _problem_settings(result)}
    tried = _try_policies(meter, chosen, Journal(folder / JOURNAL, terms), console)
    found = _trust(meter, tried, seed, time.perf_counter() - began)
    whole = replace(result, trust=found)
    write_whole(folder / "report.html", render([whole], exports=[read_export(folder)]))
    whole.save(folder / "result.json")
    for line in (*sentences(found, result.score), f"report: {folder / 'report.html'}"):
        console.print(line, soft_wrap=True)
    return found


def _run(config: TrustSettings, run: str) -> RunResult:
    """The run that was named; flags that would describe another problem are refused."""
    given, unset = flat(config), flat(TrustSettings())
    for name in _problem_names():
        if name not in NETWORK and given[name] != unset[name]:
            raise ValueError(
                f"--{name.replace('_', '-')} is given, but {run} has a problem of its own; "
                "leave out the flag or the run"
            )
    if (inside := folders_of_benchmark(Path(run))) is not None:
        raise ValueError(
            f"{run} is the folder of a benchmark; name one of its runs: "
            + ", ".join(sorted(inside))
        )
    path = run_at(run) / "result.json"
    result = RunResult.load(path)
    check_network(result.config, given, run, path, unset=unset)
    return result


def _random_run(config: TrustSettings, console: Console) -> RunResult:
    """A search that draws policies at random; one that is there already is taken."""
    asked = SearchSettings(
        network=config.network,
        compute=config.compute,
        output=config.output,
        cut=config.cut,
        problem=config.problem,
        strategy="random",
    )
    path = Path(config.output.out) / "result.json"
    if path.is_file():
        there = RunResult.load(path)
        if from_flat(SearchSettings, there.config, others=True) == asked:
            return there
    return search(asked, console)


def _problem_names() -> list[str]:
    """What makes a problem: the network, images and budget, and how candidates are cut."""
    parts = (NetworkSettings(), CutSettings(), ProblemSettings())
    names = [name for part in parts for name in flat(part) if name != "seed"]
    return [*names, "overwrite"]


def _problem_settings(result: RunResult) -> dict[str, Any]:
    """The run's own settings, as far as they make its problem."""
    return {name: result.config[name] for name in _problem_names() if name in result.config}


def _usable(result: RunResult, problem: Problem) -> list[Outcome]:
    """Evaluations within the budgets, none of which was stopped early."""
    where = result.config.get("out", "the run")
    if result.tuned_steps:
        raise ValueError(
            f"{where}: {result.strategy} tunes its candidates while it searches, so their scores "
            "are of other networks; give the run of another strategy"
        )
    whole = [one for one in result.evaluations if one.seen is None]
    usable = [one for one in whole if problem.limits.fits(one.kept)]
    if len({one.kept for one in usable}) < FEWEST:
        raise ValueError(
            f"{where}: {len(usable)} policies within the budget are too few to be put in order; "
            "give a run that evaluated more, such as `amc search --strategy random`"
        )
    return usable


def _meter(config: TrustSettings, recipe: Recipe, workload: Workload, problem: Problem) -> Meter:
    task = workload.task
    train = task.train_loader
    if train is not None and config.train_images:
        train = few(train, config.train_images)
    judged = replace_parts(task, train_loader=train, test_loader=_unseen(task, problem))
    return Meter(
        problem,
        recipe,
        judged,
        first_of(task, config.tuning.recalibrate or RECALIBRATION),
        recalibrated=bool(config.tuning.recalibrate),
        teacher=workload.model,
    )


def _unseen(task: Task, problem: Problem) -> Data | None:
    """Held-out samples that the search did not measure on, or the test samples."""
    whole, searched = task.score_loader, problem.task.score_loader
    if isinstance(whole, Samples) and isinstance(searched, Samples) and len(searched) < len(whole):
        return whole.take(slice(len(searched), None))
    return task.test_loader


def _try_policies(
    meter: Meter,
    chosen: Sequence[Outcome],
    journal: Journal,
    console: Console,
) -> list[Tried]:
    """Each policy's results, those from the journal first; new ones are written at once."""
    known = journal.recall()
    if journal.damaged:
        console.print(f"{count(journal.damaged, 'damaged line')} of {JOURNAL} tell nothing")
    steps = meter.steps
    with Reporter("fine-tuning policies", len(chosen) * steps, console) as reporter:
        for number, outcome in enumerate(chosen):
            if outcome.kept in known:
                continue

            def watch(step: int, _: int, loss: float, number: int = number) -> None:
                note = f"policy {number + 1} of {len(chosen)}, loss {loss:.3f}"
                reporter.update(number * steps + step, note)

            known[outcome.kept] = meter.try_policy(outcome, watch)
            journal.add(known[outcome.kept])
    return [replace(known[one.kept], searched=one.score, number=one.number) for one in chosen]


def _trust(meter: Meter, tried: Sequence[Tried], seed: int, seconds: float) -> Trust:
    after = [one.finetuned for one in tried]
    found = tuple(
        correlation(name, [one.scores[name] for one in tried], after, seed) for name in meter.ways
    )
    return Trust(tuple(tried), found, meter.own, meter.terms(), round(seconds, 1))
