"""The textbook procedure, which a fast search is measured against.

As published code does it (He et al., "AMC", ECCV 2018, and "Channel Pruning for Accelerating Very
Deep Neural Networks", ICCV 2017): a full-size network with zeros in place of what is pruned, in
float32; every layer that loses inputs is refit by `numpy.linalg.lstsq` on sampled points, which are
collected once a search; then the accuracy on all held-out images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.devices import device_of, evaluating
from amc.graph import KeptUnits
from amc.modules import tensors
from amc.problem import Problem
from amc.refit import patches, refittable
from amc.surgery import mask, staying_channels
from amc.tasks import Samples
from experiments.studies.accuracies import held_out

POINTS = 30_000
"""Sampled points of each layer: 10 random positions of 3,000 images."""

BATCH = 100


@dataclass(frozen=True)
class Textbook:
    """A search problem, and the points that its layers are refit on.

    Args:
        problem: The network, its ranking of units and its held-out images.
        points: (points, d) input patches of the unpruned network, of each layer.
    """

    problem: Problem
    points: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, problem: Problem, calibration: Samples, points: int = POINTS) -> Textbook:
        """Run the unpruned network over the calibration images and keep what its layers read.

        Args:
            problem: What is searched, at granularity "channel".
            calibration: Training images.
            points: Of each layer.
        """
        return cls(problem, collect(problem, calibration, points))

    def accuracy(self, kept: tuple[int, ...]) -> float:
        """Of the masked network at these kept counts, on the held-out images."""
        units = self.problem.units(kept)
        network = masked_network(self.problem, units)
        refit(self, network, units)
        return measure(network, held_out(self.problem))


def collect(problem: Problem, calibration: Samples, points: int) -> dict[str, NDArray[np.float32]]:
    """(points, d) patches of each layer that can be refit; fewer where a layer has fewer."""
    generator = torch.Generator().manual_seed(0)
    rows: dict[str, list[Tensor]] = {}
    handles = [
        problem.model.get_submodule(name).register_forward_pre_hook(
            lambda module, args, name=name: rows.setdefault(name, []).append(
                patches(module, tensors(args)[0], -(-points // len(calibration)), generator)
            )
        )
        for name in refittable(problem.graph)
    ]
    try:
        with torch.inference_mode(), evaluating(problem.model):
            for inputs, _ in calibration.batches(BATCH):
                problem.model(inputs.to(device_of(problem.model)))
    finally:
        for handle in handles:
            handle.remove()
    return {name: torch.cat(each)[:points].cpu().numpy() for name, each in rows.items()}


def masked_network(problem: Problem, units: KeptUnits) -> nn.Module:
    """A copy of full size with zeros in place of what is pruned."""
    with torch.no_grad():
        return mask(problem.model, problem.graph, units).eval()


def refit(textbook: Textbook, network: nn.Module, units: KeptUnits) -> None:
    """Solve the weights of every layer that lost inputs again, in place."""
    staying = staying_channels(textbook.problem.graph, units)
    for name, points in textbook.points.items():
        if (name, "in") in staying:
            weight = textbook.problem.model.get_parameter(f"{name}.weight").detach()
            inputs = staying[name, "in"]
            outputs = staying.get((name, "out"), torch.arange(len(weight)))
            with torch.no_grad():
                network.get_parameter(f"{name}.weight")[outputs[:, None], inputs] = solve(
                    points, weight[outputs], inputs
                )


def solve(points: NDArray[np.float32], weight: Tensor, inputs: Tensor) -> Tensor:
    """(outputs, kept inputs, ...) weights that reproduce the layer's outputs on the points.

    Args:
        points: (points, inputs * area) patches.
        weight: (outputs, inputs, ...) of the unpruned layer.
        inputs: (kept inputs,) positions of those that stay.
    """
    area = weight[0, 0].numel()
    columns = (inputs[:, None] * area + torch.arange(area)).flatten().numpy()
    wanted = points @ weight.flatten(1).T.cpu().numpy()  # (points, outputs)
    solution = np.linalg.lstsq(points[:, columns], wanted, rcond=None)[0]
    new = torch.from_numpy(np.ascontiguousarray(solution.T)).to(weight)
    return new.reshape(len(weight), len(inputs), *weight.shape[2:])


def measure(network: nn.Module, holdout: Samples) -> float:
    """Fraction that is right, batch by batch, each operation on all cores."""
    right = 0
    with torch.inference_mode():
        for inputs, labels in holdout.batches(BATCH):
            logits = network(inputs.to(device_of(network)))
            right += int((logits.argmax(1).cpu() == labels).sum())
    return right / len(holdout)
