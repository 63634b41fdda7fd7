"""What all contenders share: a trained network, its pictures, and a clock."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from amc.evaluation import score
from amc.finetuning import Recipe, fit
from amc.modules import first_call, with_samples
from experiments.latency.profiling import export_network, export_unpruned, in_turns
from experiments.search import recipe_of, training_of
from experiments.settings import NetworkSettings, TuningSettings
from experiments.zoo import Workload, load_workload

RUNTIME, THREADS = "onnxruntime", 1
EPOCHS = 1.0
"""Of fine-tuning, for every network."""

WARMUP = 0.2
"""Of training from random weights, as `amc train` has it."""

BATCH, SAMPLES = 128, 2000
"""Training pictures that criteria and statistics are taken from, as many as ours takes; and the
held-out pictures that candidates are scored on."""

NETWORKS = {
    "resnet20": NetworkSettings("resnet20"),
    "mobilenet-v1": NetworkSettings("mobilenet-v1", width=0.5),
    "vit-small": NetworkSettings("vit-small"),
}
"""With the weights that come with the project."""

TRAINED = {"resnet20": 16, "mobilenet-v1": 14, "vit-small": 24}
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

    def tuned(self, network: nn.Module, seed: int) -> nn.Module:
        """Fine-tune in place, as for every contender."""
        return fit(network, self.workload.task, self._recipe(seed))

    def trained(self, network: nn.Module, seed: int, more: float = EPOCHS) -> nn.Module:
        """Train in place from random weights, for as long as the unpruned network and a tuning.

        Args:
            network: With random weights.
            seed: Of the training.
            more: Epochs of the tuning.
        """
        epochs = TRAINED[self.name] + more
        _, rate = training_of(NETWORKS[self.name], self.model)
        recipe = replace(self._recipe(seed), epochs=epochs, lr=rate, warmup=WARMUP)
        return fit(network, self.workload.task, recipe)

    def _recipe(self, seed: int) -> Recipe:
        tuning, network = TuningSettings(EPOCHS), replace(NETWORKS[self.name], seed=seed)
        return recipe_of(tuning, network, self.workload)

    @cached_property
    def gradients(self) -> list[Tensor]:
        """Of the loss by each parameter, which the Taylor criterion reads."""
        model = copy.deepcopy(self.model)
        for images, labels in self.batches(SAMPLES):
            functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        return [one.grad for one in model.parameters() if one.grad is not None]

    def batches(self, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The first training pictures."""
        train = self.workload.splits.train
        for at in range(0, samples, BATCH):
            yield train.batch(slice(at, min(at + BATCH, samples)), "cpu")

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
