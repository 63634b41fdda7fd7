"""One strategy on one problem, from settings to a run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from torch import nn

from amc.costs import Cost, Size
from amc.evaluation import fast_accuracy, recalibrate
from amc.export import save_pruned
from amc.graph import PruningGraph
from amc.policy import Budget, Policy
from amc.problem import Strategy
from amc.pruning import decisions, kept_counts, plain_copy, prune
from amc.tasks import Samples
from experiments.disk import machine, write_whole
from experiments.latency import LATENCY, about_device, costs_of, remeasured, table_of
from experiments.report import excesses, measured_again, render
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
from experiments.search.problems import budgets, calibration, prepared
from experiments.search.searching import Found, searched
from experiments.search.strategies import expected_evaluations, make_strategy, with_scalars
from experiments.search.tuning import Start, check_stages, tune
from experiments.settings import CutConfig, ProblemConfig, PruneConfig, SearchConfig, save_config
from experiments.zoo import Setting, load_setting


def search(config: SearchConfig, console: Console) -> RunResult:
    """Search ratios and leave a run folder: policy, network, result, report.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    strategy = chosen_strategy(config)
    setting = load_setting(config, device=config.device)
    with run_journal(config, setting) as journal:
        if is_finished(journal):
            return told_again(config, console)
        problem, seconds = prepared(config, setting, console)
        begin(journal, config, setting, console)
        with failure_kept(config.out):
            made = searched(config, strategy, problem, journal, console)
            made = replace(made, prepare_seconds=seconds)
            unpruned = accuracies(setting.model, problem.graph, setting)
            return finish(config, setting, made, unpruned, journal, console)


def told_again(config: CutConfig, console: Console) -> RunResult:
    """The result of a finished run, and that it is."""
    console.print(finished(config), soft_wrap=True)
    return RunResult.load(Path(config.out) / "result.json")


def chosen_strategy(config: SearchConfig) -> Strategy:
    """The strategy that the settings name, seen to suit them.

    Raises:
        LookupError, ValueError: for settings that cannot be carried out.
    """
    strategy = make_strategy(config.strategy, config.episodes, config.options)
    if config.tensorboard:
        strategy = with_scalars(strategy, config.strategy, str(Path(config.out) / "tensorboard"))
    check_stages(config, getattr(strategy, "tunes_weights", False))
    return strategy


def apply_policy(config: PruneConfig, console: Console) -> RunResult:
    """Cut a network by a policy file and leave a run folder like a search's.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    policy = Policy.load(config.policy)
    setting = load_setting(config, device=config.device)
    with run_journal(config, setting) as journal:
        if is_finished(journal):
            return told_again(config, console)
        made = applied(config, policy, setting)
        table = table_of(config)
        for note in () if table is None else about_device(table):
            console.print(note, soft_wrap=True)
        begin(journal, config, setting, console)
        with failure_kept(config.out):
            unpruned = accuracies(setting.model, made.graph, setting)
            return finish(config, setting, made, unpruned, journal, console)


def applied(config: PruneConfig, policy: Policy, setting: Setting) -> Found:
    """A network cut by a policy."""
    start = time.perf_counter()
    graph = decisions(setting.model, setting.example, policy.granularity, policy.exclude)
    images = calibration(config, setting)
    network = prune(
        setting.model, policy, setting.example, calibration=images, seed=config.seed, graph=graph
    )
    seconds = time.perf_counter() - start
    costs = {name: make(graph) for name, make in costs_of(config, table_of(config)).items()}
    return Found(policy, graph, network, costs, (), _told(policy), seconds, 0.0)


def _told(policy: Policy) -> tuple[Budget, ...]:
    """The budgets that a policy names; its origin is for people, so anything may stand there."""
    try:
        return budgets(policy.origin.get("budget", "").replace(" ", ","))
    except ValueError:
        return ()


def finish(
    config: CutConfig,
    setting: Setting,
    made: Found,
    unpruned: Accuracies,
    journal: RunJournal,
    console: Console,
) -> RunResult:
    """Fine-tune, measure, and write the run folder.

    Raises:
        Interrupted: at Ctrl-C.
    """
    path = Path(config.out) / "policy.json"
    made.policy.save(path)
    with resumable(lambda: Interrupted(f"the policy is found and in {path}", config)):
        return _finish(config, setting, made, unpruned, journal, console)


def _finish(
    config: CutConfig,
    setting: Setting,
    made: Found,
    unpruned: Accuracies,
    journal: RunJournal,
    console: Console,
) -> RunResult:
    graph, kept = made.graph, kept_counts(made.policy, made.graph)
    if config.recalibrate:
        recalibrate(made.network, setting.splits.train.take(slice(0, config.recalibrate)))
    searched = accuracies(made.network, graph, setting)
    start = Start(made.network, made.policy, graph, calibration(config, setting))
    tuned = tune(config, setting, start, console, journal)
    seconds = {
        "prepare": made.prepare_seconds,
        "search": made.search_seconds,
        "finetune": tuned.seconds,
    }
    changes = cost_changes(made.costs, graph.full, kept)
    result = RunResult(
        strategy=made.policy.origin.get("strategy", "policy"),
        model=config.model,
        dataset=config.dataset,
        seed=config.seed,
        budgets=tuple(map(str, made.budgets)),
        unpruned=unpruned,
        searched=searched,
        finetuned=accuracies(tuned.network, graph, setting) if tuned.steps else None,
        costs=changes,
        groups=made.policy.groups,
        granularity=made.policy.granularity,
        stored=Size(graph).table(kept),
        latency=_remeasured(config, setting, tuned.network, changes, made.bound),
        evaluations=made.outcomes,
        seconds=seconds,
        tuned_steps=made.tuned_steps,
        finetune_steps=tuned.steps,
        most_evaluations=_most_evaluations(config, graph),
        images=_images(config, setting),
        config=asdict(replace(config, overwrite=False)),
        machine=machine(config.device),
    )
    write_run(Path(config.out), config, result, made.policy, tuned.network)
    journal.tidy()
    if result.latency is not None:
        console.print(measured_again(result.strategy, result.latency), soft_wrap=True)
    for budget in excesses(result):
        console.print(f"{result.strategy} does not meet its budget {budget}", soft_wrap=True)
    return result


def _most_evaluations(config: CutConfig, graph: PruningGraph) -> int | None:
    if not isinstance(config, SearchConfig):
        return 0
    groups = len(graph.groups)
    return expected_evaluations(config.strategy, config.episodes, groups, config.options)


def _images(config: CutConfig, setting: Setting) -> dict[str, int]:
    """How many each accuracy is measured on."""
    holdout = len(setting.splits.holdout)
    some = config.search_images if isinstance(config, ProblemConfig) else 0
    search = min(some or holdout, holdout)
    return {"search": search, "holdout": holdout, "test": len(setting.splits.test)}


def _remeasured(
    config: CutConfig,
    setting: Setting,
    network: nn.Module,
    costs: Mapping[str, CostChange],
    bound: float,
) -> Remeasured | None:
    table = table_of(config)
    again = table and remeasured(table, setting, network, costs[LATENCY].pruned)
    return replace(again, bound=bound) if again else None


def accuracies(model: nn.Module, graph: PruningGraph, setting: Setting) -> Accuracies:
    """Accuracy on all held-out images and on the test images; `model` is left as it is."""

    def measured(samples: Samples) -> float:
        return fast_accuracy(plain_copy(model), graph, samples)

    return Accuracies(measured(setting.splits.holdout), measured(setting.splits.test))


def cost_changes(
    costs: Mapping[str, Cost], full: Sequence[int], kept: Sequence[int]
) -> dict[str, CostChange]:
    """Every cost before and after."""
    return {name: CostChange(cost.unit, cost(full), cost(kept)) for name, cost in costs.items()}


def write_run(
    out: Path, config: CutConfig, result: RunResult, policy: Policy, network: nn.Module
) -> None:
    """Write all that a run folder holds; the result last, so that it marks a finished run."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").unlink(missing_ok=True)
    save_config(config, out / "config.yaml")
    policy.save(out / "policy.json")
    save_pruned(network, policy, out / "model.safetensors")
    write_whole(out / "report.html", render([result]))
    result.save(out / "result.json")
