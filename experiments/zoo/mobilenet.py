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

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from experiments.zoo.layers import Classifier, conv, he_initialise, scale_to_multiple

STEM_CHANNELS = 32
V1_BLOCKS = (
    ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2))
    + ((512, 1),) * 5
    + ((1024, 2), (1024, 1))
)
"""Channels at width 1 and stride of V1's thirteen blocks."""

V2_STAGES = (
    (16, 1, 1, 1),
    (24, 1, 6, 2),
    (32, 2, 6, 3),
    (64, 2, 6, 4),
    (96, 1, 6, 3),
    (160, 2, 6, 3),
    (320, 1, 6, 1),
)
"""Channels at width 1, stride of the first block, expansion and blocks of V2's seven stages."""
V2_HEAD_CHANNELS = 1280


def _chain(
    inputs: int, width: float, rows: Iterable[tuple[int, ...]], make: Callable[..., nn.Module]
) -> tuple[nn.Sequential, int]:
    """`make(inputs, outputs, *settings)` of each row, one after the other, and the last outputs.

    A row holds the outputs at width 1, then the settings.
    """
    chain = nn.Sequential()
    for channels, *settings in rows:
        outputs = scale_to_multiple(channels, width)
        chain.append(make(inputs, outputs, *settings))
        inputs = outputs
    return chain, inputs


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
        inputs = scale_to_multiple(STEM_CHANNELS, width)
        self.stem = nn.Sequential(conv(in_channels, inputs, 3), nn.BatchNorm2d(inputs), nn.ReLU())
        self.blocks, outputs = _chain(inputs, width, V1_BLOCKS, SeparableBlock)
        self.classifier = Classifier(outputs, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width) to logits (samples, classes)."""
        logits: Tensor = self.classifier(self.blocks(self.stem(images)))
        return logits


def mobilenet_v1(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """MobileNet V1 for small images."""
    return MobileNetV1(in_channels, classes, width)


class InvertedResidual(nn.Module):
    """Widen by 1x1, filter by 3x3 depthwise, narrow by 1x1 without ReLU; add the input if it fits.

    At expansion 1 nothing is widened, and the first convolution is left out.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Identity() if expansion == 1 else _with_relu6(conv(inputs, hidden, 1))
        self.depthwise = _with_relu6(conv(hidden, hidden, 3, stride, groups=hidden))
        self.project = nn.Sequential(conv(hidden, outputs, 1), nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        """(samples, inputs, h, w) to (samples, outputs, h / stride, w / stride), rounded up."""
        out: Tensor = self.project(self.depthwise(self.expand(images)))
        return images + out if self.residual else out


def _with_relu6(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU6())


class MobileNetV2(nn.Module):
    """A 3x3 stem, seventeen inverted residuals in seven stages, a 1x1 head, a linear classifier.

    Args:
        in_channels: Channels of the images.
        classes: Number of logits.
        width: Factor on every channel count, which is then rounded to a multiple of 8.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(self, in_channels: int, classes: int, width: float) -> None:
        super().__init__()
        inputs = scale_to_multiple(STEM_CHANNELS, width)
        self.stem = _with_relu6(conv(in_channels, inputs, 3))
        self.stages, outputs = _chain(inputs, width, V2_STAGES, _v2_stage)
        head = scale_to_multiple(V2_HEAD_CHANNELS, width)
        self.head = _with_relu6(conv(outputs, head, 1))
        self.classifier = Classifier(head, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width) to logits (samples, classes)."""
        logits: Tensor = self.classifier(self.head(self.stages(self.stem(images))))
        return logits


def _v2_stage(inputs: int, outputs: int, stride: int, expansion: int, blocks: int) -> nn.Sequential:
    first = InvertedResidual(inputs, outputs, stride, expansion)
    rest = (InvertedResidual(outputs, outputs, 1, expansion) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def mobilenet_v2(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """MobileNet V2 for small images."""
    return MobileNetV2(in_channels, classes, width)
