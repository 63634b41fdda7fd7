"""AlexNet for small images.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NeurIPS 2012: five convolutions, three linear layers, ReLU, overlapping max pools, dropout, no batch
norm. Most of its weights are in its linear layers, as in the original.

Departures from the paper:
1. Kernels are 5, 3, 3, 3, 3 and the first has stride 2, for images of 28 or 32 pixels.
2. Channels are about a sixth, and linear layers an eighth, of the paper's.
3. No local response normalisation, which later work found to be of no use.
4. Weights are drawn after He et al., so that it learns without the paper's hand-tuned biases.
"""

from __future__ import annotations

from torch import Tensor, nn

from experiments.zoo.layers import he_initialise, scaled

CHANNELS = (32, 64, 64, 64, 64)
HIDDEN = 512
GRID = 3
"""Side of the last feature map, whatever the images' size."""
DROPOUT = 0.5


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
        one, two, three, four, five = (scaled(count, width) for count in CHANNELS)
        hidden = scaled(HIDDEN, width)
        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, one, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(one, two, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(two, three, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(three, four, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(four, five, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(GRID)),
        )
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(five * GRID**2, hidden), nn.ReLU()),
            *(nn.Dropout(DROPOUT), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, classes),
        )
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width), sides of 16 or more, to (samples, classes)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def alexnet_small(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """AlexNet's shape for images of 16 pixels or more: most weights are in its linear layers."""
    return SmallAlexNet(in_channels, classes, width)
