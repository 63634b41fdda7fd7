"""The networks that a search's speed is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from amc.finetuning import Recipe, fit
from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.tasks import Classification, Samples
from experiments.settings import NetworkSettings
from experiments.zoo import Workload, load_workload, shipped_weights

NETWORKS = {
    "resnet20": NetworkSettings("resnet20"),
    "resnet56": NetworkSettings("resnet56"),
    "mobilenet-v1": NetworkSettings("mobilenet-v1", width=0.5),
}
SHIPPED = "shipped"
TRAINED = "quickly trained"
QUICK = 20_000
"""Training images of those, seen once."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        budget: Of MACs, as a fraction of the unpruned network's.
        images: Held-out images that each candidate is measured on.
        calibration: Training images that layers are refit on.
        device: Where networks compute.
    """

    budget: float = 0.3
    images: int = 5000
    calibration: int = 3000
    device: str = "cpu"


@dataclass(frozen=True)
class Case:
    """A network with its images.

    Args:
        name: Of the network.
        workload: The network and its data set.
        weights: Where its weights come from.
        sizes: How much is measured.
    """

    name: str
    workload: Workload
    weights: str
    sizes: Sizes

    @classmethod
    def of(cls, name: str, sizes: Sizes) -> Case:
        """Load the shipped weights; where there are none, train quickly."""
        config = NETWORKS[name]
        shipped = shipped_weights(config.model, config.dataset, config.width) is not None
        workload = load_workload(config, trained=shipped, device=sizes.device)
        if not shipped:
            few = workload.splits.train.take(slice(0, QUICK))
            fit(workload.model, few, Recipe(epochs=1, **workload.augmentation))
        return cls(name, workload, SHIPPED if shipped else TRAINED, sizes)

    @property
    def calibration(self) -> Samples:
        """Training images for the refit."""
        return self.workload.splits.train.take(slice(0, self.sizes.calibration)).held()

    @property
    def holdout(self) -> Samples:
        """Images that candidates are measured on."""
        return self.workload.splits.holdout.take(slice(0, self.sizes.images)).held()

    def problem(self, racing: float = 0.0) -> Problem:
        """The search problem, as `amc search --no-depth` sets it up."""
        return Problem(
            self.workload.model,
            self.workload.example,
            [Budget("macs", self.sizes.budget)],
            task=Classification(None, self.holdout, calibration=self.calibration),
            rounding=Rounding(depth=False),
            racing=racing,
        )
