"""A network and images on which a whole search takes a moment, as a user would bring them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from experiments.zoo.image_dataset import ImageDataset, image_dataset

SEED = 0
BRIGHTNESS = 100


def network() -> nn.Module:
    torch.manual_seed(SEED)
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Conv2d(12, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(16, 14), nn.ReLU(), nn.Linear(14, 12), nn.ReLU(), nn.Linear(12, 3)),
    )


def other() -> nn.Module:
    return network()


def images() -> ImageDataset:
    """Which third of the rows is bright; with much noise."""
    generator = torch.Generator().manual_seed(0)

    def some(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(0, 3, (count,), generator=generator)
        noise = torch.randint(0, 156, (count, 1, 8, 8), generator=generator)
        bright = (torch.arange(8) // 3)[None, :] == labels[:, None]
        return (noise + BRIGHTNESS * bright[:, None, :, None]).to(torch.uint8), labels

    return image_dataset("stripes", some(240), some(60), ("top", "middle", "bottom"))
