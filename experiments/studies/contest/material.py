"""What all searches of a contest share: trained networks, images, and moments collected once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from torch import Tensor, nn

from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.tasks import Classification, Samples
from experiments.settings import NetworkSettings
from experiments.zoo import load_workload

SEARCH_IMAGES = 1000
CALIBRATION_IMAGES = 4000


@dataclass(frozen=True)
class Material:
    """A trained network and three disjoint sets of images.

    Args:
        model: In evaluation mode.
        example: (1, channels, height, width) input for tracing.
        search: That candidates are measured on.
        other: That only the chosen policies are measured on; held out of training too.
        calibration: Of the training images, for the refit.
    """

    model: nn.Module
    example: Tensor
    search: Samples
    other: Samples
    calibration: Samples

    def problem(self, budget: str) -> Problem:
        """The search problem; all is as on the command line with `--no-depth`."""
        return Problem(
            self.model,
            self.example,
            [Budget.parse(budget)],
            task=Classification(None, self.search, calibration=self.calibration),
            rounding=Rounding(depth=False),
        )

    def images(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {kind: len(getattr(self, kind)) for kind in ("search", "other", "calibration")}


def shipped_network(model: str, width: float, device: str) -> Material:
    """A network of the zoo with the weights that come with the project, on Fashion-MNIST."""
    workload = load_workload(NetworkSettings(model=model, width=width), device=device)
    train, holdout = workload.splits.train.held(), workload.splits.holdout.held()
    return Material(
        workload.model,
        workload.sample,
        search=holdout.take(slice(0, SEARCH_IMAGES)),
        other=holdout.take(slice(SEARCH_IMAGES, None)),
        calibration=train.take(slice(0, CALIBRATION_IMAGES)),
    )


NETWORKS: dict[str, Callable[[str], Material]] = {
    "resnet20": partial(shipped_network, "resnet20", 1.0),
    "mobilenet-v1": partial(shipped_network, "mobilenet-v1", 0.5),
}
"""By the names that a study uses, on a device; mobilenet-v1 has width 0.5."""


@cache
def material(network: str, device: str) -> Material:
    """Loaded once a process."""
    return NETWORKS[network](device)


@cache
def problem(network: str, budget: str, device: str) -> Problem:
    """Made once a process: every search restarts it."""
    return material(network, device).problem(budget)
