"""One strategy on one problem, from settings to a run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from torch import nn

from amc.costs import Cost, Size
from amc.evaluation import fast_accuracy, recalibrate
from amc.export import save_pruned
from amc.granularity import Granularity
from amc.masks import plain_copy
from amc.policy import Budget, Policy
from amc.problem import Outcome, Problem, SearchResult, Strategy
from amc.pruning import decisions, kept_counts, prune
from amc.samples import Samples
from amc.structure import PruningGraph
from experiments.config import (
    CutConfig,
    ProblemConfig,
    PruneConfig,
    SearchConfig,
    listed,
    save_config,
)
from experiments.ctrl_c import stopped_in_time
from experiments.failures import failure_kept
from experiments.files import write_whole
from experiments.journal import RunJournal
from experiments.latency import LATENCY, costs_of, remeasured, table_of, terms
from experiments.machine import machine
from experiments.networks import Setting, load_setting
from experiments.progress import Reporter
from experiments.report import measured_again, render
from experiments.results import Accuracies, CostChange, Remeasured, RunResult
from experiments.resuming import Interrupted, begin, is_finished, run_journal
from experiments.strategies import expected_evaluations, make_strategy, with_scalars
from experiments.tuning import Start, check_stages, tune


@dataclass(frozen=True)
class Found:
    """What a search or a policy file decided, before fine-tuning.

    Args:
        policy: The decision.
        graph: Of the unpruned network, at the policy's granularity.
        network: Really smaller, or of full size and held by masks.
        costs: By short name.
        outcomes: Evaluated on the way.
        budgets: That it keeps to, as far as that is known.
        prepare_seconds: Tracing the network and collecting its moments.
        search_seconds: The search itself.
        tuned_steps: Gradient steps that the network has had inside the search.
    """

    policy: Policy
    graph: PruningGraph
    network: nn.Module
    costs: Mapping[str, Cost]
    outcomes: tuple[Outcome, ...]
    budgets: tuple[Budget, ...]
    prepare_seconds: float
    search_seconds: float
    tuned_steps: int = 0


def search(config: SearchConfig, console: Console) -> RunResult:
    """Search ratios and leave a run folder: policy, network, result, report.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    strategy = chosen_strategy(config)
    setting = load_setting(config)
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


def searched(
    config: SearchConfig,
    strategy: Strategy,
    problem: Problem,
    journal: RunJournal,
    console: Console,
) -> Found:
    """What a strategy finds, its policy on the disk, with a journal that answers for what is done.

    Raises:
        Interrupted: at Ctrl-C, with the best policy so far on the disk.
    """
    watch = Watch(console, config, problem)
    problem.on_outcome, problem.journal = watch, journal

    def interrupted() -> Interrupted:
        criterion = getattr(strategy, "criterion", None)
        return Interrupted(_best_so_far(config, problem, criterion or None), config)

    with _resumable(interrupted), watch.reporter:
        result = result_of(strategy, problem, config)
    return found(config, problem, result)


@contextmanager
def _resumable(interrupted: Callable[[], Interrupted]) -> Iterator[None]:
    """Within, Ctrl-C writes what there is and tells how to go on, in time."""
    try:
        with stopped_in_time(lambda: str(interrupted())):
            yield
    except KeyboardInterrupt:
        raise interrupted() from None


def result_of(strategy: Strategy, problem: Problem, config: SearchConfig) -> SearchResult:
    """What a strategy finds, which may be a class of the user's own.

    Raises:
        ValueError: if that fails as no strategy of ours does, or gives something else.
    """
    foreign = (AssertionError, AttributeError, TypeError) if ":" in config.strategy else ()
    try:
        result = strategy.search(problem, config.seed)
    except foreign as error:
        raise ValueError(
            f"strategy {config.strategy!r} fails ({type(error).__name__}: {error}); --debug shows "
            "where"
        ) from error
    if not isinstance(result, SearchResult):
        raise ValueError(
            f"strategy {config.strategy!r} gave {type(result).__name__}; let search() return "
            "problem.result()"
        )
    return result


def _best_so_far(config: SearchConfig, problem: Problem, criterion: str | None) -> str:
    """Write the policy of the best candidate so far, and say what was written."""
    if not problem.outcomes:
        return "nothing was evaluated yet"
    best, state = problem.best(), f"after {len(problem.outcomes)} evaluations"
    if best is None:
        best = min(problem.outcomes, key=lambda outcome: _use(problem, outcome))
        state += ", not yet within the budget"
    origin = {**_origin(config), "interrupted": state}
    path = Path(config.out) / "policy.json"
    problem.policy(best.kept, origin, criterion).save(path)
    return f"the best policy {state} has accuracy {best.accuracy:.4f} and is in {path}"


def _use(problem: Problem, outcome: Outcome) -> float:
    """Of the scarcest budget, as a fraction of it."""
    return max(outcome.costs[item.name] / item.most for item in problem.limits.items)


def told_again(config: CutConfig, console: Console) -> RunResult:
    """The result of a finished run, and that it is."""
    console.print(
        f"{config.out} is finished, nothing is left to do; --overwrite begins anew",
        soft_wrap=True,
    )
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
    setting = load_setting(config)
    with run_journal(config, setting) as journal:
        if is_finished(journal):
            return told_again(config, console)
        made = applied(config, policy, setting)
        begin(journal, config, setting, console)
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


def prepared(config: ProblemConfig, setting: Setting, console: Console) -> tuple[Problem, float]:
    """The problem that a search solves, and the seconds that it took to set up."""
    start = time.perf_counter()
    unit, limits = Granularity.parse(config.granularity), budgets(config.budget)
    excluded = listed(config.exclude)
    graph = decisions(setting.model, setting.example, str(unit), excluded)
    agreed = terms(
        config, setting.model, graph, limits, unit.rounding(config.multiple, config.max_ratio)
    )
    for note in agreed.notes:
        console.print(note, soft_wrap=True)
    holdout = setting.splits.holdout
    if config.search_images:
        holdout = holdout.take(slice(0, config.search_images))
    problem = Problem(
        setting.model,
        setting.example,
        limits,
        holdout=holdout,
        calibration=calibration(config, setting),
        train=setting.splits.train,
        criterion=config.criterion,
        rounding=agreed.rounding,
        granularity=str(unit),
        exclude=excluded,
        seed=config.seed,
        costs=agreed.costs,
        graph=graph,
    )
    return problem, time.perf_counter() - start


def budgets(text: str) -> tuple[Budget, ...]:
    """Budgets separated by commas; an empty text is none.

    Raises:
        ValueError: if a part has another form, or a cost is named twice.
    """
    parts = text.split(",") if text.strip() else []
    found = tuple(Budget.parse(part) for part in parts)
    names = [budget.cost for budget in found]
    if len(set(names)) < len(names):
        raise ValueError(f"--budget is {text!r}; name each cost once")
    return found


def _told(policy: Policy) -> tuple[Budget, ...]:
    """The budgets that a policy names; its origin is for people, so anything may stand there."""
    try:
        return budgets(policy.origin.get("budget", "").replace(" ", ","))
    except ValueError:
        return ()


def calibration(config: CutConfig, setting: Setting) -> Samples | None:
    """The training images that the refit reads; the same for every command and seed."""
    if not config.calibration_images:
        return None
    return setting.splits.train.take(slice(0, config.calibration_images))


def _origin(config: SearchConfig) -> dict[str, str]:
    return {
        "strategy": config.strategy,
        "model": config.model,
        "width": f"{config.width:g}",
        "dataset": config.dataset,
        "budget": ",".join(map(str, budgets(config.budget))),
        "seed": str(config.seed),
    }


def found(config: SearchConfig, problem: Problem, result: SearchResult) -> Found:
    """What a search found, with its network.

    Raises:
        ValueError: for stages after a strategy that has tuned weights without saying so before.
    """
    check_stages(config, result.weights is not None)
    network = problem.held(result.best.kept)
    if result.weights is not None:
        network.load_state_dict(result.weights)
    policy = problem.policy(result.best.kept, _origin(config), result.criterion)
    return Found(
        policy=policy,
        graph=problem.graph,
        network=network,
        costs=problem.costs,
        outcomes=result.outcomes,
        budgets=budgets(config.budget),
        prepare_seconds=0.0,
        search_seconds=result.seconds,
        tuned_steps=result.tuned_steps,
    )


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
    with _resumable(lambda: Interrupted(f"the policy is found and in {path}", config)):
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
        latency=_remeasured(config, setting, tuned.network, changes),
        evaluations=made.outcomes,
        seconds=seconds,
        tuned_steps=made.tuned_steps,
        finetune_steps=tuned.steps,
        most_evaluations=_most_evaluations(config, graph),
        images=_images(config, setting),
        config=asdict(replace(config, overwrite=False)),
        machine=machine(),
    )
    write_run(Path(config.out), config, result, made.policy, tuned.network)
    journal.tidy()
    if result.latency is not None:
        console.print(measured_again(result.strategy, result.latency), soft_wrap=True)
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
    config: CutConfig, setting: Setting, network: nn.Module, costs: Mapping[str, CostChange]
) -> Remeasured | None:
    table = table_of(config)
    if table is None:
        return None
    return remeasured(table, setting, network, costs[LATENCY].pruned)


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


class Watch:
    """Shows a search's outcomes as they come."""

    def __init__(self, console: Console, config: SearchConfig, problem: Problem) -> None:
        self._limits = problem.limits.items
        expected = expected_evaluations(
            config.strategy, config.episodes, len(problem.graph.groups), config.options
        )
        self.reporter = Reporter(config.strategy, expected, console)

    def __call__(self, outcome: Outcome, best: Outcome | None) -> None:
        if best is not None:
            note = f"best accuracy {best.accuracy:.4f}"
        else:
            most = max(self._limits, key=lambda item: outcome.costs[item.name] / item.most)
            left = f"{outcome.costs[most.name] / most.full:.0%} {most.name}"
            note = f"not yet within the budget: accuracy {outcome.accuracy:.4f} at {left}"
        self.reporter.update(outcome.number + 1, note)
