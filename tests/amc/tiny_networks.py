"""Tiny networks, one for each way in which channels can depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amc.criteria import best_units
from amc.graph import KeptUnits
from amc.tasks.samples import Samples

PIXELS = 8
"""Height and width of the images that the networks take; they have 3 channels."""


class Wired(nn.Module):
    """Layers by name, and a function of the network and its inputs as the forward pass."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self._function = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Tensor) -> Any:
        return self._function(self, *inputs)


def averaged(features: Tensor) -> Tensor:
    """(samples, channels, height, width) to (samples, channels)."""
    return features.mean((2, 3))


def head(features: int) -> list[nn.Module]:
    """Average, flatten, and four logits."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 4)]


def residual() -> nn.Module:
    def forward(net: Any, images: Tensor) -> Tensor:
        skip = torch.relu(net.norm1(net.conv1(images)))
        inner = torch.relu(net.norm2(net.conv2(skip)))
        return net.linear(averaged(torch.relu(skip + net.norm3(net.conv3(inner)))))

    return Wired(
        forward,
        conv1=nn.Conv2d(3, 6, 3, padding=1, bias=False),
        norm1=nn.BatchNorm2d(6),
        conv2=nn.Conv2d(6, 5, 3, padding=1, bias=False),
        norm2=nn.BatchNorm2d(5),
        conv3=nn.Conv2d(5, 6, 3, padding=1, bias=False),
        norm3=nn.BatchNorm2d(6),
        linear=nn.Linear(6, 4),
    )


def depthwise() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 6, 3, groups=6, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 5, 1), nn.ReLU()),
        *head(5),
    )


def flattened() -> nn.Module:
    """The linear layer reads 2 x 2 features of each of its 5 channels."""
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2, padding=0, ceil_mode=True), nn.Flatten(), nn.Linear(20, 7), nn.ReLU()),
        nn.Linear(7, 4),
    )


def concatenated() -> nn.Module:
    def forward(net: Any, images: Tensor) -> Tensor:
        left, right = torch.relu(net.left(images)), torch.relu(net.norm(net.right(images)))
        return net.linear(averaged(torch.relu(net.both(torch.cat([left, right], 1)))))

    return Wired(
        forward,
        left=nn.Conv2d(3, 4, 3),
        right=nn.Conv2d(3, 3, 3, bias=False),
        norm=nn.BatchNorm2d(3),
        both=nn.Conv2d(7, 5, 3),
        linear=nn.Linear(5, 4),
    )


def grouped() -> nn.Module:
    """Only the last convolution can be pruned."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.ReLU()),
        *(nn.Conv2d(8, 5, 1), nn.ReLU()),
        *head(5),
    )


def gated() -> nn.Module:
    """One half of the channels scales the other, so that a unit is two channels."""

    def forward(net: Any, images: Tensor) -> Tensor:
        values, gates = net.conv(images).chunk(2, 1)
        return net.linear(averaged(torch.relu(values) * torch.sigmoid(gates)))

    return Wired(forward, conv=nn.Conv2d(3, 8, 3), linear=nn.Linear(4, 4))


def reused() -> nn.Module:
    """One convolution runs twice, on its own output the second time."""

    def forward(net: Any, images: Tensor) -> Tensor:
        first = torch.relu(net.norm(net.inner(torch.relu(net.stem(images)))))
        return net.linear(averaged(torch.relu(net.norm(net.inner(first)))))

    return Wired(
        forward,
        stem=nn.Conv2d(3, 6, 3),
        inner=nn.Conv2d(6, 6, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(6),
        linear=nn.Linear(6, 4),
    )


def unusual() -> nn.Module:
    """Rarer settings of convolutions and norms."""
    return nn.Sequential(
        *(nn.Conv2d(3, 7, (1, 3), padding="same", bias=False), nn.BatchNorm2d(7, affine=False)),
        *(nn.ReLU(), nn.Conv2d(7, 6, 3, padding=2, dilation=2, stride=(2, 1), bias=False)),
        *(nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()),
        *(nn.Conv2d(6, 5, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(5), nn.ReLU()),
        *(nn.Conv2d(5, 5, 1), nn.BatchNorm2d(5, affine=False, track_running_stats=False)),
        *head(5),
    )


def perceptron() -> nn.Module:
    """Takes images, but has linear layers only."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(3 * PIXELS * PIXELS, 9), nn.ReLU()),
        *(nn.Linear(9, 7, bias=False), nn.ReLU(), nn.Linear(7, 4)),
    )


TINY: dict[str, Callable[[], nn.Module]] = {
    build.__name__: build
    for build in (
        residual,
        depthwise,
        flattened,
        concatenated,
        grouped,
        gated,
        reused,
        unusual,
        perceptron,
    )
}


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """In place: weights and statistics that hide no mistake; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            scale = (2 / module.weight[0].numel()) ** 0.5
            nn.init.normal_(module.weight, 0, scale, generator=generator)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.3, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            if module.running_mean is not None:
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
                nn.init.normal_(module.bias, 0.2, 0.3, generator=generator)
    return model.eval()


def tiny(name: str, seed: int = 0) -> nn.Module:
    """A network of the table with random weights and statistics."""
    return randomised(TINY[name](), seed)


def images(samples: int = 2, seed: int = 0) -> Tensor:
    """(samples, 3, 8, 8) noise."""
    shape = (samples, 3, PIXELS, PIXELS)
    # Not the generator that drew the weights: images equal to a filter are no noise.
    return torch.randn(shape, generator=torch.Generator().manual_seed(10_000 + seed))


def samples(count: int, seed: int = 0) -> Samples:
    """Noise with random labels of 4 classes."""
    labels = torch.randint(4, (count,), generator=torch.Generator().manual_seed(seed))
    return Samples(images(count, seed), labels)


def random_kept(units: Sequence[int], seed: int) -> tuple[int, ...]:
    """Any number of units of each group, from 1 to all of them."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(int(torch.randint(1, n + 1, (1,), generator=generator)) for n in units)


def random_units(units: Sequence[int], seed: int) -> KeptUnits:
    """Any units of each group, at least 1."""
    generator = torch.Generator().manual_seed(seed)
    ranking = [torch.rand(n, generator=generator) for n in units]
    return best_units(ranking, random_kept(units, seed))
