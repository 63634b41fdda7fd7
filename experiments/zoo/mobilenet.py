"""MobileNets for small images.

V1: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017, table 1. V2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", CVPR 2018, table 2.

Departures from the papers:
1. The stem has stride 1, and in V2 so has the 24-channel stage, because the images are 28 or 32
   pixels wide, not 224: 28 becomes 14, 7, 4 (and in V1 2) at the end.
2. V1's last block has stride 1; table 1 prints 2 there, which contradicts its own sizes.
3. In V2 the width scales the last convolution also below 1, so that small means small.
"""

from __future__ import annotations

from torch import Tensor, nn

from experiments.zoo.layers import Classifier, conv, he_initialise, scaled_to_multiple

STEM_CHANNELS = 32
V1_BLOCKS = (
    ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2))
    + ((512, 1),) * 5
    + ((1024, 2), (1024, 1))
)
"""Channels at width 1 and stride of V1's thirteen blocks."""


class SeparableBlock(nn.Module):
    """A 3x3 depthwise convolution, then a 1x1 convolution that mixes channels."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, inputs, 3, stride, groups=inputs)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(inputs, outputs, 1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """(samples, inputs, h, w) to (samples, outputs, h / stride, w / stride), rounded up."""
        hidden = self.relu1(self.bn1(self.conv1(images)))
        out: Tensor = self.relu2(self.bn2(self.conv2(hidden)))
        return out


class MobileNetV1(nn.Module):
    """A 3x3 stem, thirteen depthwise-separable blocks, a linear classifier.

    Args:
        in_channels: Channels of the images.
        classes: Number of logits.
        width: Factor on every channel count, which is then rounded to a multiple of 8.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(self, in_channels: int, classes: int, width: float) -> None:
        super().__init__()
        inputs = scaled_to_multiple(STEM_CHANNELS, width)
        self.stem = nn.Sequential(conv(in_channels, inputs, 3), nn.BatchNorm2d(inputs), nn.ReLU())
        self.blocks = nn.Sequential()
        for channels, stride in V1_BLOCKS:
            outputs = scaled_to_multiple(channels, width)
            self.blocks.append(SeparableBlock(inputs, outputs, stride))
            inputs = outputs
        self.classifier = Classifier(inputs, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width) to logits (samples, classes)."""
        logits: Tensor = self.classifier(self.blocks(self.stem(images)))
        return logits


def mobilenet_v1(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """MobileNet V1 for small images."""
    return MobileNetV1(in_channels, classes, width)
