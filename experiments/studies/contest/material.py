"""What all searches of a contest share: trained networks, problems, and images of two kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rich.console import Console

from amc.policy import Budget
from amc.problem import Problem
from amc.tasks import Samples
from experiments.commands import train
from experiments.latency import profiled
from experiments.search import prepare
from experiments.settings import (
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    SearchSettings,
    TrainSettings,
)
from experiments.studies.accuracies import held_out
from experiments.zoo import Workload, load_workload

SEARCHED = 2000
"""Held-out images that candidates are measured on; the others judge what comes out."""

BUDGETS = ("macs=0.15", "latency=0.333")

TRAINED = Path("runs/contest/vgg-small")
"""Where the network goes that the study trains."""

EPOCHS = 4
"""Of that training."""

NETWORKS: Mapping[str, NetworkSettings] = {
    "resnet20": NetworkSettings("resnet20"),
    "mobilenet-v1": NetworkSettings("mobilenet-v1", width=0.5),
    "vit-small": NetworkSettings("vit-small"),
    "vgg-small": NetworkSettings(
        "vgg-small", width=0.5, weights=str(TRAINED / "model.safetensors")
    ),
}
"""On Fashion-MNIST, by the names that the study uses."""


@dataclass(frozen=True)
class Material:
    """A problem, and what its policies are judged by.

    Args:
        problem: Every search restarts it.
        other: Held-out images that no search sees.
    """

    problem: Problem
    other: Samples

    @property
    def images(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {"search": len(held_out(self.problem)), "other": len(self.other)}


def get_ready(cells: Iterable[tuple[str, str]]) -> None:
    """Train what has no weights, and measure tables, so that processes find all of that there."""
    for network, budget in sorted(cells):
        settings, console = NETWORKS[network], Console(markup=False, highlight=False)
        if settings.weights is not None and not Path(settings.weights).is_file():
            made = TrainSettings(
                network=replace(settings, weights=None),
                epochs=EPOCHS,
                output=OutputSettings(str(TRAINED), overwrite=True),
            )
            train.train(made, console)
        _config(network, budget, console)


@cache
def material(network: str, budget: str) -> Material:
    """Made once a process."""
    quiet = Console(quiet=True)
    config, workload = _config(network, budget, quiet), _workload(network)
    made, _ = prepare(config, workload, quiet)
    return Material(made, workload.splits.holdout.held().take(slice(SEARCHED, None)))


@cache
def _workload(network: str) -> Workload:
    return load_workload(NETWORKS[network])


def _config(network: str, budget: str, console: Console) -> SearchSettings:
    asked = ProblemSettings(budget=(Budget.parse(budget),), search_images=SEARCHED)
    config = SearchSettings(network=NETWORKS[network], problem=asked)
    return profiled(config, _workload(network), console)
