"""The table of networks, all for small images: 28 x 28 and 32 x 32, with any input channels.

To add one, write a function of the shape of `Builder` and name it in `MODELS`.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from amc.parsing import look_up
from experiments.zoo.alexnet import alexnet_small
from experiments.zoo.mobilenet import mobilenet_v1, mobilenet_v2
from experiments.zoo.resnet import plain20, resnet8, resnet20, resnet56
from experiments.zoo.vgg import vgg_small
from experiments.zoo.vit import vit_small


class Builder(Protocol):
    """Makes an untrained network, its weights drawn from torch's global generator."""

    def __call__(self, in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
        """From (samples, in_channels, height, width) to logits (samples, classes)."""


MODELS: dict[str, Builder] = {
    "resnet8": resnet8,
    "resnet20": resnet20,
    "resnet56": resnet56,
    "plain20": plain20,
    "vgg-small": vgg_small,
    "alexnet-small": alexnet_small,
    "mobilenet-v1": mobilenet_v1,
    "mobilenet-v2": mobilenet_v2,
    "vit-small": vit_small,
}


def build_model(name: str, in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """An untrained network from the table, in training mode.

    Args:
        name: A key of `MODELS`.
        in_channels: Channels of the images, at least 1.
        classes: Number of logits, at least 1.
        width: Factor on every channel count, above 0. Counts are rounded to whole channels, at
            least 1; in MobileNets to multiples of 8, at least 8.

    Raises:
        LookupError: if there is no such name.
        ValueError: if a number is out of its range.
    """
    builder = look_up(MODELS, name, "model")
    _check_count("in_channels", in_channels)
    _check_count("classes", classes)
    return builder(in_channels, classes, width)


def _check_count(what: str, count: int) -> None:
    if count < 1:
        raise ValueError(f"{what}: {count} is too few; give at least 1")
