"""What every network of the zoo is made of: scaled channels, convolutions, first weights, head."""

from __future__ import annotations

import math

from torch import Tensor, nn


def scale(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to the nearest whole number, at least 1.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """
    return max(1, round(channels * check_width(width)))


def scale_to_multiple(channels: int, width: float, divisor: int = 8) -> int:
    """`channels` times `width`, rounded to a multiple of `divisor`, at least `divisor`.

    The rule of the MobileNet authors' code (`_make_divisible`): round to nearest, but go one
    multiple up rather than lose more than a tenth of the channels.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """
    exact = channels * check_width(width)
    nearest = max(divisor, int(exact + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * exact else nearest


def check_width(width: float) -> float:
    """`width` itself.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"width: {width} cannot scale channels; give a number above 0, such as 1")
    return width


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A square convolution without bias, padded so that stride 1 keeps height and width.

    Without bias, because a batch norm follows each and would subtract it again.
    """
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class Classifier(nn.Module):
    """Global average over positions, then one linear layer.

    It fits any height and width, and stays right when channels are removed before it.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, features, height, width) to logits (samples, classes)."""
        logits: Tensor = self.linear(self.flatten(self.pool(images)))
        return logits


def he_initialise(network: nn.Module) -> None:
    """Draw every convolution's weights as He et al. 2015 do for ReLU, by fan-out."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
