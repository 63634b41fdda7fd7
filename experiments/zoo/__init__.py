"""Networks, data sets and weights: by name, or a user's own."""

from experiments.zoo.datasets import load_dataset
from experiments.zoo.image_dataset import Splits
from experiments.zoo.models import build_model
from experiments.zoo.networks import (
    Setting,
    check_device,
    checkpoint,
    first_line,
    load_setting,
    shipped_weights,
)
from experiments.zoo.resnet import SmallResNet
from experiments.zoo.uci_digits import digits

__all__ = [
    "Setting",
    "SmallResNet",
    "Splits",
    "build_model",
    "check_device",
    "checkpoint",
    "digits",
    "first_line",
    "load_dataset",
    "load_setting",
    "shipped_weights",
]
