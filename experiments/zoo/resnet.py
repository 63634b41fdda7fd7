"""The CIFAR networks of He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, 4.2.

Departure from the paper: where a block changes the shape, the shortcut is a 1x1 convolution with
batch norm (the paper's option B; its CIFAR tables use option A, zero padding). Channels on both
sides of a sum then couple one to one, as a plain sum, with no padding to keep in step.
"""

from __future__ import annotations

from torch import Tensor, nn

from experiments.zoo.layers import Classifier, conv, he_initialise, scale

STAGES = ((16, 1), (32, 2), (64, 2))
"""Channels at width 1 and stride of each stage's first block."""


class Block(nn.Module):
    """Two 3x3 convolutions, added to a shortcut unless the network is plain."""

    def __init__(self, inputs: int, outputs: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(outputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride) if residual else None
        self.relu2 = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """(samples, inputs, h, w) to (samples, outputs, h / stride, w / stride), rounded up."""
        hidden = self.relu1(self.bn1(self.conv1(images)))
        total: Tensor = self.bn2(self.conv2(hidden))
        if self.shortcut is not None:
            total = total + self.shortcut(images)
        out: Tensor = self.relu2(total)
        return out


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class SmallResNet(nn.Module):
    """A 3x3 stem, three stages of `blocks` blocks (6 * blocks + 2 layers), a linear classifier.

    Args:
        in_channels: Channels of the images.
        classes: Number of logits.
        width: Factor on the stages' 16, 32 and 64 channels.
        blocks: Blocks a stage: 1, 3 and 9 give 8, 20 and 56 layers.
        residual: False leaves out every shortcut: the paper's plain networks.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(
        self, in_channels: int, classes: int, width: float, blocks: int, residual: bool = True
    ) -> None:
        super().__init__()
        channels = [scale(count, width) for count, _ in STAGES]
        self.stem = nn.Sequential(
            conv(in_channels, channels[0], 3), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        self.stages = nn.Sequential()
        inputs = channels[0]
        for outputs, (_, stride) in zip(channels, STAGES, strict=True):
            self.stages.append(_stage(inputs, outputs, stride, blocks, residual))
            inputs = outputs
        self.classifier = Classifier(inputs, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width) to logits (samples, classes)."""
        logits: Tensor = self.classifier(self.stages(self.stem(images)))
        return logits


def _stage(inputs: int, outputs: int, stride: int, blocks: int, residual: bool) -> nn.Sequential:
    first = Block(inputs, outputs, stride, residual)
    return nn.Sequential(first, *(Block(outputs, outputs, 1, residual) for _ in range(blocks - 1)))


def resnet8(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """Residual network of 8 layers, small enough for 8 x 8 digits; not in the paper."""
    return SmallResNet(in_channels, classes, width, blocks=1)


def resnet20(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """Residual network of 20 layers."""
    return SmallResNet(in_channels, classes, width, blocks=3)


def resnet56(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """Residual network of 56 layers."""
    return SmallResNet(in_channels, classes, width, blocks=9)


def plain20(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """ResNet-20 without its shortcuts."""
    return SmallResNet(in_channels, classes, width, blocks=3, residual=False)
