"""AlexNet for small images.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NeurIPS 2012: five convolutions, three linear layers, ReLU, overlapping max pools, dropout. Most of
its weights are in its linear layers, as in the original.

Departures from the paper:
1. Kernels are 5, 3, 3, 3, 3 and the first has stride 2, for images of 28 or 32 pixels, which shrink
   from 28 to 14, 7 and 4.
2. Channels are about a quarter to a seventh, and linear layers an eighth, of the paper's.
3. Batch norm after every convolution takes the place of local response normalisation.
4. Dropout is 0.2, not 0.5: a network this small has little to spare.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from experiments.zoo.layers import conv, he_initialise, scale

CHANNELS = (24, 40, 56, 56, 40)
HIDDEN = 512
GRID = 3
"""Side of the last feature map, whatever the images' size."""
DROPOUT = 0.2


class SmallAlexNet(nn.Module):
    """Five convolutions, three linear layers.

    Args:
        in_channels: Channels of the images.
        classes: Number of logits.
        width: Factor on every channel count and on the linear layers.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(self, in_channels: int, classes: int, width: float) -> None:
        super().__init__()
        channels = [scale(count, width) for count in CHANNELS]
        hidden = scale(HIDDEN, width)
        one, two, *others = pairwise([in_channels, *channels])
        self.features = nn.Sequential(
            *(*_convolution(*one, kernel=5, stride=2), nn.MaxPool2d(3, 2, 1)),
            *(*_convolution(*two), nn.MaxPool2d(3, 2, 1)),
            *(module for pair in others for module in _convolution(*pair)),
            nn.AdaptiveMaxPool2d(GRID),
        )
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(DROPOUT)),
            *(nn.Linear(channels[-1] * GRID**2, hidden), nn.ReLU(), nn.Dropout(DROPOUT)),
            *(nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, classes),
        )
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width), sides of 16 or more, to (samples, classes)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs), nn.ReLU()]


def alexnet_small(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """AlexNet's shape for images of 16 pixels or more: most weights are in its linear layers."""
    return SmallAlexNet(in_channels, classes, width)
