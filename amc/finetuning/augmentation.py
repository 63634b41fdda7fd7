"""The batches that a network is trained on: in random order, images shifted and mirrored."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.finetuning.recipes import Recipe
from amc.tasks import Samples


def augment(train: Samples, recipe: Recipe, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` random batches of (inputs, labels), every sample once a pass.

    Images, (samples, channels, height, width), are shifted and mirrored as the recipe says; inputs
    of other shapes are left alone. Draws from torch's global generator.
    """
    size = min(recipe.batch_size, len(train))
    order = torch.empty(0, dtype=torch.long)
    images = train.inputs.dim() == 4
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(train))
        chosen, order = order[:size], order[size:]
        inputs = train.floats(chosen)
        if images:
            inputs = flip(inputs) if recipe.flip else inputs
            inputs = shift(inputs, recipe.shift) if recipe.shift else inputs
        yield inputs, train.labels[chosen]


def flip(images: Tensor) -> Tensor:
    """Each image mirrored left to right or not, with even odds."""
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def shift(images: Tensor, most: int) -> Tensor:
    """Each image moved by up to `most` pixels along both axes; the border repeats its edge."""
    count, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="replicate")
    top = torch.randint(0, 2 * most + 1, (count, 1)) + torch.arange(height)  # (count, height)
    left = torch.randint(0, 2 * most + 1, (count, 1)) + torch.arange(width)  # (count, width)
    sample = torch.arange(count)[:, None, None]
    return padded[sample, :, top[:, :, None], left[:, None, :]].permute(0, 3, 1, 2)
