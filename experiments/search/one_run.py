"""One strategy on one problem, from settings to a run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from torch import nn

from amc.costs import Cost, Size
from amc.costs.latency import LatencyTable
from amc.evaluation import fast_accuracy, recalibrate
from amc.export import save_pruned
from amc.graph import PruningGraph
from amc.policy import Budget, Policy
from amc.problem import Strategy
from amc.pruning import decisions, kept_counts, plain_copy, prune
from amc.tasks import Samples
from experiments.disk import machine, write_whole
from experiments.latency import LATENCY, about_device, costs_of, remeasure, table_of
from experiments.report import excesses, latency_sentence, render
from experiments.runs import (
    Accuracies,
    CostChange,
    Interrupted,
    Remeasured,
    RunJournal,
    RunResult,
    begin,
    failure_kept,
    finished,
    is_finished,
    resumable,
    run_journal,
)
from experiments.search.problems import calibration, prepare
from experiments.search.searching import Found, run_strategy
from experiments.search.strategies import make_strategy, with_scalars
from experiments.search.tuning import Start, check_stages, tune
from experiments.settings import (
    PruneSettings,
    PruningSettings,
    SearchSettings,
    flat,
    save_config,
    split_words,
)
from experiments.terminal import TRACING, told_if_slow
from experiments.zoo import Splits, Workload, load_workload


def search(config: SearchSettings, console: Console) -> RunResult:
    """Search ratios and leave a run folder: policy, network, result, report.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    strategy = chosen_strategy(config)
    workload = load_workload(config.network, device=config.compute.device)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        problem, seconds = prepare(config, workload, console)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            made = run_strategy(config, strategy, problem, journal, console)
            made = replace(made, prepare_seconds=seconds)
            unpruned = accuracies(workload.model, problem.graph, workload.splits)
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
    if config.tensorboard:
        strategy = with_scalars(
            strategy, config.strategy, str(Path(config.output.out) / "tensorboard")
        )
    check_stages(config, getattr(strategy, "tunes_weights", False))
    return strategy


def apply_policy(config: PruneSettings, console: Console) -> RunResult:
    """Cut a network by a policy file and leave a run folder like a search's.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    policy = Policy.load(config.policy)
    workload = load_workload(config.network, device=config.compute.device)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        with told_if_slow(console, TRACING):
            made = cut_by(config, policy, workload)
        table = table_of(config.cut)
        for note in () if table is None else about_device(table):
            console.print(note, soft_wrap=True)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            unpruned = accuracies(workload.model, made.graph, workload.splits)
            return finish(config, workload, made, unpruned, journal, console)


def cut_by(config: PruneSettings, policy: Policy, workload: Workload) -> Found:
    """A network cut by a policy."""
    start = time.perf_counter()
    graph = decisions(workload.model, workload.example, policy.granularity, policy.exclude)
    images = calibration(config.cut, workload)
    network = prune(
        workload.model,
        policy,
        workload.example,
        calibration=images,
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
    unpruned: Accuracies,
    journal: RunJournal,
    console: Console,
) -> RunResult:
    """Fine-tune, measure, and write the run folder.

    Raises:
        Interrupted: at Ctrl-C.
    """
    path = Path(config.output.out) / "policy.json"
    made.policy.save(path)
    with resumable(lambda: Interrupted(f"the policy is found and in {path}", config)):
        return _finish(config, workload, made, unpruned, journal, console)


def _finish(
    config: PruningSettings,
    workload: Workload,
    made: Found,
    unpruned: Accuracies,
    journal: RunJournal,
    console: Console,
) -> RunResult:
    graph, kept = made.graph, kept_counts(made.policy, made.graph)
    if config.tuning.recalibrate:
        recalibrate(made.network, workload.splits.train.take(slice(0, config.tuning.recalibrate)))
    searched = accuracies(made.network, graph, workload.splits)
    start = Start(made.network, made.policy, graph, calibration(config.cut, workload))
    tuned = tune(config, workload, start, console, journal)
    seconds = {
        "prepare": made.prepare_seconds,
        "search": made.search_seconds,
        "finetune": tuned.seconds,
    }
    changes = cost_changes(made.costs, graph.full, kept)
    result = RunResult(
        strategy=made.policy.origin.get("strategy", "policy"),
        model=config.network.model,
        dataset=config.network.dataset,
        seed=config.network.seed,
        budgets=made.budgets,
        unpruned=unpruned,
        searched=searched,
        finetuned=accuracies(tuned.network, graph, workload.splits) if tuned.steps else None,
        costs=changes,
        groups=made.policy.groups,
        granularity=made.policy.granularity,
        stored=Size(graph).table(kept),
        latency=_remeasure(table_of(config.cut), workload, tuned.network, changes, made.bound),
        evaluations=made.outcomes,
        seconds=seconds,
        tuned_steps=made.tuned_steps,
        finetune_steps=tuned.steps,
        most_evaluations=made.most_evaluations,
        images=_images(made.search_images, workload),
        config={**flat(config), "overwrite": False},
        machine=machine(config.compute.device),
    )
    write_run(Path(config.output.out), config, result, made.policy, tuned.network)
    journal.tidy()
    if result.latency is not None:
        console.print(latency_sentence(result.strategy, result.latency), soft_wrap=True)
    for budget in excesses(result):
        console.print(f"{result.strategy} does not meet its budget {budget}", soft_wrap=True)
    return result


def _images(searched: int, workload: Workload) -> dict[str, int]:
    """How many each accuracy is measured on; a search's are all held-out ones where it says 0."""
    holdout = len(workload.splits.holdout)
    search = min(searched or holdout, holdout)
    return {"search": search, "holdout": holdout, "test": len(workload.splits.test)}


def _remeasure(
    table: LatencyTable | None,
    workload: Workload,
    network: nn.Module,
    costs: Mapping[str, CostChange],
    bound: float,
) -> Remeasured | None:
    again = table and remeasure(table, workload, network, costs[LATENCY].pruned)
    return replace(again, bound=bound) if again else None


def accuracies(model: nn.Module, graph: PruningGraph, splits: Splits) -> Accuracies:
    """Accuracy on all held-out images and on the test images; `model` is left as it is."""

    def measured(samples: Samples) -> float:
        return fast_accuracy(plain_copy(model), graph, samples)

    return Accuracies(measured(splits.holdout), measured(splits.test))


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
