"""VGG with batch norm for small images.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, configuration D (VGG-16).

Departures from the paper:
1. A batch norm follows every convolution.
2. A global average takes the place of the fifth max pool, which 28 pixels would not reach
   (28, 14, 7, 3, 1), and one linear layer that of three, as is customary for CIFAR.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from experiments.zoo.layers import Classifier, conv, he_initialise, scale

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels at width 1 of each stage's convolutions; a max pool stands between two stages."""


class SmallVgg(nn.Module):
    """Thirteen 3x3 convolutions in five stages, a linear classifier.

    Args:
        in_channels: Channels of the images.
        classes: Number of logits.
        width: Factor on every channel count.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(self, in_channels: int, classes: int, width: float) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        inputs = in_channels
        for stage in STAGES:
            channels = [scale(count, width) for count in stage]
            self.stages.append(_stage([inputs, *channels], pooled=len(self.stages) > 0))
            inputs = channels[-1]
        self.classifier = Classifier(inputs, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width), sides of 16 or more, to (samples, classes)."""
        logits: Tensor = self.classifier(self.stages(images))
        return logits


def _stage(channels: list[int], pooled: bool) -> nn.Sequential:
    stage = nn.Sequential()
    if pooled:
        stage.add_module("pool", nn.MaxPool2d(2))
    for number, (inputs, outputs) in enumerate(pairwise(channels), start=1):
        stage.add_module(f"conv{number}", conv(inputs, outputs, 3))
        stage.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        stage.add_module(f"relu{number}", nn.ReLU())
    return stage


def vgg_small(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """VGG-16's convolutions with batch norm, one linear layer; images of 16 pixels or more."""
    return SmallVgg(in_channels, classes, width)
