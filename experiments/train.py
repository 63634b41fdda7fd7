"""Training a network of the zoo from scratch."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from rich.console import Console

from amc.evaluation import accuracy
from amc.finetuning import Recipe, fit
from amc.weights import save_weights
from experiments.config import TrainConfig, save_config
from experiments.files import ready_folder, write_whole
from experiments.machine import machine
from experiments.networks import load_setting
from experiments.progress import Reporter
from experiments.results import Accuracies
from experiments.tuning import RATE_KEY

WARMUP = 0.2


def train(config: TrainConfig, console: Console) -> Accuracies:
    """Train on the training images without the held-out ones; write weights and accuracy.

    Training starts from the weights that the settings name, or from random ones.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    setting = load_setting(config, trained=config.weights is not None)
    recipe = Recipe(
        epochs=config.epochs,
        lr=config.lr,
        batch_size=config.batch_size,
        warmup=WARMUP,
        seed=config.seed,
        gamma_l1=config.gamma_l1,
        gamma_l2=config.gamma_l2,
        **setting.augmentation,
    )
    out = ready_folder(config.out)
    images, start = setting.splits.train, time.perf_counter()
    with Reporter("training", recipe.steps(len(images)), console) as reporter:
        fit(
            setting.model,
            images,
            recipe,
            on_step=lambda step, total, loss: reporter.update(step, f"loss {loss:.3f}"),
        )
    seconds = time.perf_counter() - start
    reached = Accuracies(
        accuracy(setting.model, setting.splits.holdout),
        accuracy(setting.model, setting.splits.test),
    )
    save_config(config, out / "config.yaml")
    metadata = {RATE_KEY: str(config.lr)}
    save_weights(setting.model, out / "model.safetensors", metadata)
    report = {"accuracy": asdict(reached), "seconds": seconds, "machine": machine()}
    write_whole(out / "result.json", json.dumps(report, indent=1) + "\n")
    return reached
