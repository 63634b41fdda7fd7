"""One strategy on one problem, from settings to a run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from torch import nn

from amc.costs import Cost, Size
from amc.costs.latency import LatencyTable
from amc.evaluation import fast_score, recalibrate
from amc.export import save_pruned
from amc.graph import PruningGraph
from amc.journal import Journal
from amc.policy import Budget, Policy
from amc.problem import Strategy
from amc.pruning import decisions, kept_counts, plain_copy, prune
from amc.tasks import Data, Indexed, Task
from experiments.disk import machine, write_whole
from experiments.latency import (
    LATENCY,
    CommandError,
    InBytesError,
    about_device,
    costs_of,
    pace,
    profiled,
    remeasure,
    runtime_asked,
    scores_in_bytes,
    table_of,
)
from experiments.report import excesses, in_bytes_line, latency_line, render
from experiments.runs import (
    SO_FAR,
    CostChange,
    Interrupted,
    Pace,
    Proof,
    Remeasured,
    RunJournal,
    RunResult,
    Scores,
    begin,
    failure_kept,
    finished,
    is_finished,
    resumable,
    run_journal,
)
from experiments.search.bench import Bench
from experiments.search.choosing import chosen
from experiments.search.policies import policy_asked
from experiments.search.problems import first_of, prepare, task_for
from experiments.search.searching import Found, run_strategy
from experiments.search.strategies import (
    check_begins,
    in_batches,
    make_strategy,
    tunes_weights,
    with_scalars,
)
from experiments.search.tuning import Start, check_objective, check_stages, check_tuning, tune
from experiments.settings import (
    PruneSettings,
    PruningSettings,
    SearchSettings,
    flat,
    save_config,
    split_words,
)
from experiments.terminal import TRACING, told_if_slow
from experiments.zoo import Workload, load_workload


def search(config: SearchSettings, console: Console) -> RunResult:
    """Search ratios and leave a run folder: policy, network, result, report.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    strategy = chosen_strategy(config)
    workload = load_workload(config.network, device=config.compute.device)
    config = profiled(config, workload, console)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        check_tuning(config, workload)
        problem, seconds = prepare(config, workload, console)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            unpruned = scores_of(workload.model, problem.graph, workload.task)
            made = run_strategy(config, strategy, problem, journal, console, unpruned=unpruned)
            made = replace(made, prepare_seconds=seconds)
            made = chosen(Bench(config, workload, problem, made, journal, console))
            return finish(config, workload, made, unpruned, journal, console)


def told_again(config: PruningSettings, console: Console) -> RunResult:
    """The result of a finished run, and that it is."""
    console.print(finished(config), soft_wrap=True)
    return RunResult.load(Path(config.output.out) / "result.json")


def chosen_strategy(config: SearchSettings) -> Strategy:
    """The strategy that the settings name, seen to suit them.

    Raises:
        LookupError, ValueError: for settings that cannot be carried out.
    """
    strategy = make_strategy(config.strategy, config.problem.episodes, config.options)
    strategy = in_batches(strategy, config)
    if config.tensorboard:
        strategy = with_scalars(
            strategy, config.strategy, str(Path(config.output.out) / "tensorboard")
        )
    check_stages(config, tunes_weights(strategy))
    check_objective(config, tunes_weights(strategy))
    check_begins(strategy, config)
    return strategy


def apply_policy(config: PruneSettings, console: Console) -> RunResult:
    """Cut a network by a policy file and leave a run folder like a search's.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    policy = policy_asked(config)
    workload = load_workload(config.network, device=config.compute.device)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        check_tuning(config, workload)
        with told_if_slow(console, TRACING):
            made = cut_by(config, policy, workload)
        table = table_of(config.cut)
        for note in () if table is None else about_device(table, runtime_asked(config)):
            console.print(note, soft_wrap=True)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            unpruned = scores_of(workload.model, made.graph, workload.task)
            return finish(config, workload, made, unpruned, journal, console)


def cut_by(config: PruneSettings, policy: Policy, workload: Workload) -> Found:
    """A network cut by a policy."""
    start = time.perf_counter()
    graph = decisions(workload.model, workload.example, policy.granularity, policy.exclude)
    task = task_for(config.cut, workload)
    network = prune(
        workload.model,
        policy,
        workload.example,
        calibration=task,
        seed=config.network.seed,
        graph=graph,
    )
    seconds = time.perf_counter() - start
    costs = {name: make(graph) for name, make in costs_of(config.cut, table_of(config.cut)).items()}
    return Found(policy, graph, network, costs, (), _budgets_named(policy), seconds, 0.0)


def _budgets_named(policy: Policy) -> tuple[Budget, ...]:
    """The budgets that a policy names; its origin is for people, so anything may stand there."""
    try:
        return tuple(
            map(Budget.parse, split_words(policy.origin.get("budget", "").replace(" ", ",")))
        )
    except ValueError:
        return ()


def finish(
    config: PruningSettings,
    workload: Workload,
    made: Found,
    unpruned: Scores,
    journal: RunJournal,
    console: Console,
    tuning: Journal | None = None,
    proof: Proof | None = None,
) -> RunResult:
    """Fine-tune, measure, and write the run folder.

    Args:
        config: Of the command.
        workload: Network and task.
        made: What was decided.
        unpruned: Scores of the network as it came.
        journal: Of the run.
        console: For progress.
        tuning: Where fine-tuning is noted, or was made before; the run's journal if left out.
        proof: See `RunResult`.

    Raises:
        Interrupted: at Ctrl-C.
    """
    path = Path(config.output.out) / "policy.json"
    made.policy.save(path)
    with resumable(lambda: Interrupted(f"the policy is found and in {path}", config)):
        return _finish(config, workload, made, unpruned, journal, console, tuning, proof)


def _finish(
    config: PruningSettings,
    workload: Workload,
    made: Found,
    unpruned: Scores,
    journal: RunJournal,
    console: Console,
    tuning: Journal | None,
    proof: Proof | None,
) -> RunResult:
    graph, kept = made.graph, kept_counts(made.policy, made.graph)
    if config.tuning.recalibrate:
        recalibrate(made.network, first_of(workload.task, config.tuning.recalibrate))
    searched = scores_of(made.network, graph, workload.task)
    start = Start(made.network, made.policy, graph, task_for(config.cut, workload))
    tuned = tune(config, workload, start, console, tuning or journal)
    seconds = {
        "prepare": made.prepare_seconds,
        "search": made.search_seconds,
        **({"choose": made.choose_seconds} if made.choice else {}),
        "finetune": tuned.seconds,
    }
    changes = cost_changes(made.costs, graph.full, kept)
    table = table_of(config.cut)
    latency = _remeasure(config, table, workload, tuned.network, changes, made.bound, console)
    result = RunResult(
        strategy=made.policy.origin.get("strategy", "policy"),
        model=config.network.model,
        dataset=config.network.data,
        seed=config.network.seed,
        budgets=made.budgets,
        unpruned=unpruned,
        searched=searched,
        finetuned=scores_of(tuned.network, graph, workload.task) if tuned.steps else None,
        costs=changes,
        groups=made.policy.groups,
        granularity=made.policy.granularity,
        stored=Size(graph).table(kept),
        # One clock tells enough: where the budget is a device's time, that device's does.
        pace=None if latency else _pace(config, workload, tuned.network),
        latency=latency,
        in_bytes=_in_bytes(table, workload, tuned.network, console),
        evaluations=made.outcomes,
        seconds=seconds,
        tuned_steps=made.tuned_steps,
        finetune_steps=tuned.steps,
        most_evaluations=made.most_evaluations,
        samples=samples_of(workload.task, made.search_images),
        score=workload.task.score,
        config={**flat(config), "overwrite": False},
        machine=machine(config.compute.device),
        proof=proof,
        choice=made.choice,
    )
    write_run(Path(config.output.out), config, result, made.policy, tuned.network)
    journal.tidy()
    if result.latency is not None:
        console.print(latency_line(result.strategy, result.latency), soft_wrap=True)
    if result.in_bytes is not None:
        console.print(in_bytes_line(result.strategy, result), soft_wrap=True)
    for budget in excesses(result):
        console.print(f"{result.strategy} does not meet its budget {budget}", soft_wrap=True)
    return result


def samples_of(task: Task, searched: int = 0) -> dict[str, int]:
    """How many samples scores are measured on, as far as the task tells.

    Args:
        task: Whose.
        searched: That a search measures on; 0 stands for all.
    """
    holdout, test = count_of(task.score_loader), count_of(task.test_loader)
    search = None if holdout is None else min(searched or holdout, holdout)
    told = {"search": search, "holdout": holdout, "test": test}
    return {name: number for name, number in told.items() if number is not None}


def count_of(data: Data | None) -> int | None:
    """How many samples there are; None where only a whole pass would tell."""
    if isinstance(data, Indexed):
        return len(data)
    samples = getattr(data, "dataset", None)
    return len(samples) if isinstance(samples, Sized) else None


def _pace(config: PruningSettings, workload: Workload, network: nn.Module) -> Pace | None:
    return None if config.ending.no_measure else pace(workload.model, network, workload.example)


def _remeasure(
    config: PruningSettings,
    table: LatencyTable | None,
    workload: Workload,
    network: nn.Module,
    costs: Mapping[str, CostChange],
    bound: float,
    console: Console,
) -> Remeasured | None:
    runtime = runtime_asked(config)
    try:
        again = table and remeasure(table, workload, network, costs[LATENCY].pruned, runtime)
    except CommandError as error:  # The network is there, and is not lost for a device that is not.
        console.print(f"the network is not timed once more: {error}", soft_wrap=True)
        return None
    return replace(again, bound=bound) if again else None


def _in_bytes(
    table: LatencyTable | None, workload: Workload, network: nn.Module, console: Console
) -> Scores | None:
    """What the network is worth in the numbers that its time is measured in."""
    if table is None or table.device.dtype != "int8":
        return None
    here = workload.on_processor
    try:
        return scores_in_bytes(plain_copy(network).cpu(), here.example, here.task)
    except (ImportError, InBytesError) as error:
        console.print(f"the score in 8-bit integers is not told: {error}", soft_wrap=True)
        return None


def scores_of(model: nn.Module, graph: PruningGraph, task: Task) -> Scores:
    """The score on all held-out samples and, where there are some, on those of the test.

    Args:
        model: Left as it is.
        graph: Its graph, or that of the network that it was cut from.
        task: Whose score.
    """

    def measured(*, test: bool) -> float:
        return fast_score(plain_copy(model), graph, task, test=test)

    return Scores(measured(test=False), measured(test=True) if task.tests else None)


def cost_changes(
    costs: Mapping[str, Cost], full: Sequence[int], kept: Sequence[int]
) -> dict[str, CostChange]:
    """Every cost before and after."""
    return {name: CostChange(cost.unit, cost(full), cost(kept)) for name, cost in costs.items()}


def write_run(
    out: Path, config: PruningSettings, result: RunResult, policy: Policy, network: nn.Module
) -> None:
    """Write all that a run folder holds; the result last, so that it marks a finished run."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").unlink(missing_ok=True)
    save_config(config, out / "config.yaml")
    policy.save(out / "policy.json")
    save_pruned(network, policy, out / "model.safetensors")
    write_whole(out / "report.html", render([result]))
    result.save(out / "result.json")
    (out / SO_FAR).unlink(missing_ok=True)
