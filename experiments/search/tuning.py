"""Fine-tuning of a pruned network, from settings to weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from safetensors import SafetensorError, safe_open
from torch import nn

from amc.finetuning import (
    OPTIMIZERS,
    Plan,
    Recipe,
    Schedule,
    prune_iteratively,
    rehearse,
    steps_in_all,
    usual_optimizer,
)
from amc.graph import Kept, PruningGraph
from amc.journal import BLANK, Journal
from amc.policy import Policy
from amc.pruning import Narrowed, kept_counts, narrow
from amc.tasks import Task
from experiments.settings import (
    BenchmarkSettings,
    NetworkSettings,
    PruningSettings,
    ScheduleSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.terminal import Reporter
from experiments.zoo import Workload, checkpoint

RATE_KEY = "training_rate"
"""What the metadata of a checkpoint call the peak learning rate that it was trained with."""


@dataclass(frozen=True)
class Start:
    """What fine-tuning begins with.

    Args:
        network: The pruned network; it is fine-tuned in place, unless a schedule of stages begins
            with the unpruned one again.
        policy: What it was pruned by.
        graph: Of the unpruned network, at the policy's granularity.
        task: With the calibration data of the criterion and the refit of later stages.
    """

    network: nn.Module
    policy: Policy
    graph: PruningGraph
    task: Task


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning left.

    Args:
        network: In evaluation mode.
        steps: Gradient steps that were made: fewer than planned where it stopped early.
        seconds: That it took.
    """

    network: nn.Module
    steps: int = 0
    seconds: float = 0.0


def tune(
    config: PruningSettings,
    workload: Workload,
    start: Start,
    console: Console,
    journal: Journal = BLANK,
) -> Tuned:
    """Fine-tune as the settings say, with progress; no epochs leave the network as it is.

    What the journal has of the same fine-tuning is not done again.

    Raises:
        FloatingPointError: if the loss stops being finite.
    """
    began, recipe = time.perf_counter(), recipe_of(config.tuning, config.network, workload)
    total = steps_in_all(workload.task, recipe)
    if not total:
        return Tuned(start.network)
    made: list[float] = []
    with Reporter("fine-tuning", total, console) as reporter:

        def watch(step: int, _: int, loss: float) -> None:
            made.append(loss)
            reporter.update(step, f"loss {loss:.3f}")

        plan = Plan(_schedule(config.schedule), recipe)
        end = prune_iteratively(
            Narrowed.start(workload.model, start.graph),
            kept_counts(start.policy, start.graph),
            plan,
            start.task,
            narrow=_narrowing(start, plan.schedule, config.network.seed),
            holdout=workload.task if config.tuning.patience else None,
            teacher=workload.model if config.tuning.distill else None,
            on_step=watch,
            journal=journal,
        )
    # Training of the user's own tells of no step, and makes all of them.
    steps = total if workload.task.tune is not None else len(made)
    return Tuned(end.network, steps, time.perf_counter() - began)


def check_tuning(config: PruningSettings | BenchmarkSettings, workload: Workload) -> None:
    """See before anything is searched that what is found can be fine-tuned.

    Raises:
        FloatingPointError: if the unpruned network's loss is not finite.
        ValueError: if the task lacks what that needs, its loss fails, or it is fine-tuned by
            training of the user's own, which some of the settings do not reach.
    """
    tuning, task = config.tuning, workload.task
    if not tuning.finetune_epochs:
        return
    recipe = recipe_of(tuning, config.network, workload)
    if task.tune is None:
        rehearse(workload.model, task, recipe, workload.model if tuning.distill else None)
        return
    steps_in_all(task, recipe)
    for name in ("distill", "patience", "finetune_lr", "finetune_optimizer"):
        if given := getattr(tuning, name):
            raise ValueError(
                f"--{name.replace('_', '-')} is {given}, and the task is fine-tuned by its own "
                "tune, which does as it likes; leave the flag out"
            )


def check_stages(config: SearchSettings, tunes_weights: bool) -> None:
    """Refuse to fine-tune in stages a network whose weights the search has tuned.

    Raises:
        ValueError: if stages are asked for, which would begin again with the unpruned network.
    """
    if tunes_weights and config.tuning.finetune_epochs and _schedule(config.schedule).count > 1:
        raise ValueError(
            f"--finetune-schedule {config.schedule.finetune_schedule} begins again with the "
            f"unpruned network and would drop the weights that {config.strategy} tunes as it "
            "prunes; take "
            "one-shot here, or apply the policy that it finds in stages with `amc prune`"
        )


def check_objective(config: SearchSettings, tunes_weights: bool) -> None:
    """Refuse to choose among candidates by fine-tuning where the search does that itself.

    Raises:
        ValueError: if it is asked for.
    """
    if tunes_weights and config.choice.by_tuning:
        raise ValueError(
            f"--objective tuned fine-tunes candidates of the search, and {config.strategy} tunes "
            "them on its way; leave it out"
        )


def _schedule(given: ScheduleSettings) -> Schedule:
    return Schedule(given.finetune_schedule, given.finetune_stages, given.finetune_last)


def _narrowing(start: Start, schedule: Schedule, seed: int) -> Callable[[Narrowed, Kept], Narrowed]:
    """How each stage prunes; the one of one-shot is what the search has already done."""
    if schedule.count == 1:
        return lambda state, kept: Narrowed(start.network, state.graph, kept)
    return partial(narrow, criterion=start.policy.criterion, calibration=start.task, seed=seed)


def recipe_of(tuning: TuningSettings, network: NetworkSettings, workload: Workload) -> Recipe:
    """How the network is fine-tuned."""
    optimizer, trained = training_of(network, workload.model)
    if tuning.finetune_optimizer not in (None, optimizer):
        optimizer = tuning.finetune_optimizer
        trained = OPTIMIZERS[optimizer].lr
    rate = tuning.finetune_lr
    return Recipe(
        epochs=tuning.finetune_epochs,
        lr=tuning.finetune_rate * trained if rate is None else rate,
        optimizer=optimizer,
        seed=network.seed,
        distill=tuning.distill,
        temperature=tuning.temperature,
        patience=tuning.patience,
        **workload.augmentation,
    )


def told_rate(optimizer: str, rate: float) -> str:
    """What a checkpoint says of its training: the rate, behind the optimizer if not the usual.

    One entry, as files with several have these in any order, and would differ from run to run.
    """
    return str(rate) if optimizer == next(iter(OPTIMIZERS)) else f"{optimizer} {rate}"


def training_of(network: NetworkSettings, model: nn.Module) -> tuple[str, float]:
    """Optimizer and peak learning rate that the network was trained with, as its checkpoint tells.

    Where it tells none, what is usual for such a network.
    """
    told = _metadata(checkpoint(network)).get(RATE_KEY, "")
    *named, rate = told.split() or [""]
    first = next(iter(OPTIMIZERS)) if told else usual_optimizer(model)
    optimizer = named[0] if named and named[0] in OPTIMIZERS else first
    usual = OPTIMIZERS[optimizer].lr
    try:
        found = float(rate)
    except ValueError:
        return optimizer, usual
    return optimizer, found if 0 < found < math.inf else usual


def _metadata(path: Path | None) -> Mapping[str, str]:
    if path is None or path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}
