"""What all contenders share: a trained network, its pictures, and a clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from amc.evaluation import score
from amc.finetuning import Recipe, fit
from amc.modules import first_call, with_samples
from experiments.latency.profiling import export_network, export_unpruned, in_turns
from experiments.search import training_of
from experiments.settings import NetworkSettings
from experiments.zoo import Workload, load_workload

RUNTIME, THREADS = "onnxruntime", 1
EPOCHS = 1.0
"""Of fine-tuning, for every network."""

FINE = 0.1
"""Of the rate that a network was trained with."""

NETWORKS = {
    "resnet20": NetworkSettings("resnet20"),
    "mobilenet-v1": NetworkSettings("mobilenet-v1", width=0.5),
    "vit-small": NetworkSettings("vit-small"),
}
"""With the weights that come with the project."""

TRAINED = {"resnet20": 16, "mobilenet-v1": 14, "vit-small": 8}
"""Epochs that they were trained for; what is trained from scratch has these and the fine-tuning."""


@dataclass(frozen=True)
class Case:
    """A trained network that contenders make faster.

    Args:
        name: Of the network.
        workload: The network with its task.
    """

    name: str
    workload: Workload

    @property
    def model(self) -> nn.Module:
        """As it was trained; contenders cut copies of it."""
        return self.workload.model

    @property
    def example(self) -> Tensor:
        """One picture."""
        return self.workload.sample

    def left(self, network: nn.Module) -> float:
        """How much of the unpruned network's time another one takes, whole, batch 1."""
        inputs = with_samples(first_call(self.example), 1)
        payloads = [
            export_unpruned(self.model, inputs, RUNTIME),
            export_network(network, inputs, RUNTIME),
        ]
        (whole, pruned), _ = in_turns(payloads, RUNTIME, THREADS, asked="")
        return pruned["seconds"] / whole["seconds"]

    def macs_left(self, network: nn.Module) -> float:
        """How much of the unpruned network's MACs another one has, by PyTorch's counter."""
        return _flops(network, self.example) / _flops(self.model, self.example)

    def tuned(self, network: nn.Module, seed: int, epochs: float = EPOCHS) -> nn.Module:
        """Fine-tune in place, as for every contender."""
        optimizer, rate = training_of(NETWORKS[self.name], self.model)
        recipe = Recipe(
            epochs,
            FINE * rate,
            optimizer=optimizer,
            seed=seed,
            **self.workload.augmentation,
        )
        return fit(network, self.workload.task, recipe)

    def trained(self, network: nn.Module, seed: int) -> nn.Module:
        """Train in place from random weights, for as long as the unpruned network and a tuning."""
        optimizer, rate = training_of(NETWORKS[self.name], self.model)
        recipe = Recipe(
            TRAINED[self.name] + EPOCHS,
            rate,
            optimizer=optimizer,
            warmup=0.2,
            seed=seed,
            **self.workload.augmentation,
        )
        return fit(network, self.workload.task, recipe)

    def accuracy(self, network: nn.Module) -> float:
        """On the test pictures, which nobody has seen before."""
        return score(network.eval(), self.workload.task, test=True)


def _flops(network: nn.Module, example: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(example)
    return int(counter.get_total_flops())


@cache
def case(name: str) -> Case:
    """A network of `NETWORKS`, loaded once."""
    return Case(name, load_workload(NETWORKS[name]))
