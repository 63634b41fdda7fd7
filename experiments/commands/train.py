"""Training a network of the zoo from scratch."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from amc.evaluation import score
from amc.finetuning import Recipe, fit
from amc.journal import Checkpoint
from amc.weights import save_weights
from experiments.disk import machine, write_whole
from experiments.runs import (
    Interrupted,
    RunJournal,
    Scores,
    Trained,
    begin,
    failure_kept,
    finished,
    is_finished,
    resumable,
    run_journal,
)
from experiments.search import RATE_KEY, told_rate
from experiments.settings import TrainSettings
from experiments.terminal import Reporter, scored
from experiments.zoo import Workload, load_workload

WARMUP = 0.2
RESULT = "result.json"


def run(config: TrainSettings, console: Console) -> None:
    """What `amc train` does."""
    reached = train(config, console)
    console.print(
        f"accuracy {scored(reached.holdout)} held out, {scored(reached.test)} test; "
        f"weights in {Path(config.output.out) / 'model.safetensors'}",
        soft_wrap=True,
    )


def train(config: TrainSettings, console: Console) -> Scores:
    """Train on the training images without the held-out ones; write weights and accuracy.

    Training starts from the weights that the settings name, or from random ones. The same call goes
    on with one that was interrupted, from its last whole pass, and ends with the same weights.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
        Interrupted: at Ctrl-C.
    """
    workload = _workload(config)
    recipe = _recipe(config, workload)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            console.print(finished(config), soft_wrap=True)
            return Trained.load(Path(config.output.out) / RESULT).accuracy
        begin(journal, config, workload, console)
        kept = Interrupted("all whole passes over the images are kept", config)
        with failure_kept(config.output.out), resumable(lambda: kept):
            seconds = _fit(workload, recipe, journal, console)
            return _finish(config, workload, seconds, journal)


def _workload(config: TrainSettings) -> Workload:
    trained = config.network.weights is not None
    return load_workload(config.network, trained=trained, device=config.compute.device)


def _recipe(config: TrainSettings, workload: Workload) -> Recipe:
    return Recipe(
        epochs=config.epochs,
        lr=config.rate,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        warmup=WARMUP,
        seed=config.network.seed,
        gamma_l1=config.gamma_l1,
        gamma_l2=config.gamma_l2,
        **workload.augmentation,
    )


def _fit(workload: Workload, recipe: Recipe, journal: RunJournal, console: Console) -> float:
    """Train the network in place; the seconds that this took."""
    images, start = workload.splits.train, time.perf_counter()
    with Reporter("training", recipe.steps(len(images)), console) as reporter:
        fit(
            workload.model,
            images,
            recipe,
            on_step=lambda step, total, loss: reporter.update(step, f"loss {loss:.3f}"),
            checkpoint=Checkpoint(journal, "training"),
        )
    return time.perf_counter() - start


def _finish(
    config: TrainSettings, workload: Workload, seconds: float, journal: RunJournal
) -> Scores:
    """Measure, and write what a training leaves; the result last, as it marks a finished one."""
    reached = Scores(
        score(workload.model, workload.task),
        score(workload.model, workload.task, test=True),
    )
    metadata = {RATE_KEY: told_rate(config.optimizer, config.rate)}
    save_weights(workload.model, journal.folder / "model.safetensors", metadata)
    report = {"accuracy": asdict(reached), "seconds": seconds, "machine": machine(workload.device)}
    write_whole(journal.folder / RESULT, json.dumps(report, indent=1) + "\n")
    journal.tidy()
    return reached
