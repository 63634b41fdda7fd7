"""What removing one unit does to the loss, by brute force, on small networks trained on digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from amc.criteria import Asked
from amc.finetuning import Recipe, fit
from amc.graph import PruningGraph
from amc.refit import Moments
from amc.surgery import mask
from amc.tasks import Samples, task_of
from amc.tracing import trace
from experiments.zoo import build_model, digits

Losses = list[tuple[float, float]]
"""Calibration and held-out loss of a network without one unit, for several units."""

EPOCHS = 20
CALIBRATION = 300
"""Training images that criteria may look at."""
WEIGHTS = 40
"""Single weights that are removed in turn, of each layer."""


def _cnn(norms: bool) -> nn.Module:
    """Three convolutions of stride 1, 2, 2 and two linear layers."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((1, 12, 1), (12, 16, 2), (16, 16, 2)):
        layers.append(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norms))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()] if norms else [nn.ReLU()]
    head = (nn.Conv2d(16, 24, 2, bias=not norms), *([nn.BatchNorm2d(24)] if norms else []))
    return nn.Sequential(*layers, *head, nn.ReLU(), nn.Flatten(), nn.Linear(24, 10))


def _mlp() -> nn.Module:
    hidden = (nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(24, 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet8": partial(build_model, "resnet8", 1, 10, 0.5),
    "cnn with batch norm": partial(_cnn, True),
    "cnn": partial(_cnn, False),
    "mlp": _mlp,
}


@dataclass(frozen=True)
class Case:
    """A trained network, and the images that are at hand.

    Args:
        model: In evaluation mode.
        graph: Its graph of channels.
        calibration: Training images that criteria may look at.
        heldout: Images that neither training nor criteria have seen.
        seed: Of all of these.
    """

    model: nn.Module
    graph: PruningGraph
    calibration: Samples
    heldout: Samples
    seed: int

    @classmethod
    def trained(
        cls, network: str, seed: int, epochs: float = EPOCHS, images: int = CALIBRATION
    ) -> Case:
        """One of `NETWORKS`, trained on digits, with so many calibration images."""
        data = digits()
        torch.manual_seed(seed)
        recipe = Recipe(epochs=epochs, lr=0.05, batch_size=64, warmup=0.1, seed=seed)
        model = fit(NETWORKS[network](), data.train, recipe)
        calibration, _ = data.train.split(images, seed)
        example = data.train.batch(slice(2))[0]
        graph = trace(model, example)
        return cls(model, graph, calibration.held(), data.test.held(), seed)

    @property
    def asked(self) -> Asked:
        """What the criteria look at."""
        return Asked(self.model, self.graph, task_of(self.calibration), self.seed)

    def losses(self, model: nn.Module) -> tuple[float, float]:
        """Mean cross-entropy on the calibration and on the held-out images."""
        with torch.inference_mode():
            found = [
                float(F.cross_entropy(model(data.floats()), data.labels))
                for data in (self.calibration, self.heldout)
            ]
        return found[0], found[1]


def channel_changes(case: Case, refit: bool = False) -> Iterator[Losses]:
    """For each group, the losses without each of its units in turn.

    Args:
        case: The network and the images.
        refit: Whether the layers that lose an input are solved again on the calibration images.
    """
    model, graph = case.model, case.graph
    moments = Moments.collect(model, graph, case.calibration) if refit else None
    full = [tuple(range(group.units)) for group in graph.groups]
    for number, units in enumerate(full):
        yield [
            case.losses(mask(model, graph, (*full[:number], stay, *full[number + 1 :]), moments))
            for stay in (units[:gone] + units[gone + 1 :] for gone in units)
        ]


def weight_changes(case: Case, chosen: Mapping[str, Sequence[int]]) -> Iterator[Losses]:
    """For each layer, the losses without each of its chosen weights in turn."""
    for name, indices in chosen.items():
        weight, found = case.model.get_parameter(f"{name}.weight").data, []
        for index in indices:
            at = np.unravel_index(index, weight.shape)
            before = weight[at].clone()
            weight[at] = 0
            found.append(case.losses(case.model))
            weight[at] = before
        yield found


def chosen_weights(case: Case, count: int = WEIGHTS) -> dict[str, list[int]]:
    """Up to `count` random weights of each layer."""
    generator = torch.Generator().manual_seed(case.seed)
    sizes = {
        layer.name: case.model.get_parameter(f"{layer.name}.weight").numel()
        for layer in case.graph.layers
        if layer.kind != "norm"
    }
    return {n: torch.randperm(s, generator=generator)[:count].tolist() for n, s in sizes.items()}
