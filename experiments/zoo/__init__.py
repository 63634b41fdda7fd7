"""Networks, data sets and weights: by name, or a user's own.

The networks need torch alone, so that whoever only builds one imports nothing else.
"""

from typing import TYPE_CHECKING

from amc.parsing import on_demand

if TYPE_CHECKING:
    from experiments.zoo.building import checkpoint, first_line, shipped_weights
    from experiments.zoo.datasets import load_dataset
    from experiments.zoo.image_dataset import ImageDataset, Splits
    from experiments.zoo.image_files import HELD, ImageFiles
    from experiments.zoo.models import build_model
    from experiments.zoo.networks import Workload, check_device, load_workload
    from experiments.zoo.resnet import SmallResNet
    from experiments.zoo.uci_digits import digits

__all__ = [
    "HELD",
    "ImageDataset",
    "ImageFiles",
    "SmallResNet",
    "Splits",
    "Workload",
    "build_model",
    "check_device",
    "checkpoint",
    "digits",
    "first_line",
    "load_dataset",
    "load_workload",
    "shipped_weights",
]

__getattr__ = on_demand(
    "experiments.zoo",
    {
        "building": ("checkpoint", "first_line", "shipped_weights"),
        "datasets": ("load_dataset",),
        "image_dataset": ("ImageDataset", "Splits"),
        "image_files": ("HELD", "ImageFiles"),
        "models": ("build_model",),
        "networks": ("Workload", "check_device", "load_workload"),
        "resnet": ("SmallResNet",),
        "uci_digits": ("digits",),
    },
)
