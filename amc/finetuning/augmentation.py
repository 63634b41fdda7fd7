"""The batches that a network is trained on: in random order, images shifted and mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.finetuning.recipes import Recipe
from amc.modules import tensors
from amc.tasks import Data, Indexed, Task, reading


def training_batches(train: Data, recipe: Recipe, steps: int) -> Iterator[Any]:
    """`steps` batches: of samples in memory random ones, augmented; of a stream as they come.

    Raises:
        ValueError: if a stream is empty.
    """
    if isinstance(train, Indexed):
        yield from augment(train, recipe, steps)
        return
    left = steps
    while left:
        before = left
        for batch in islice(reading(train), left):
            left -= 1
            yield batch
        if left == before:
            raise ValueError("task: train_loader is empty; give at least one batch")


def steps_of_pass(train: Data, recipe: Recipe) -> int:
    """Gradient steps of one pass over the training data; a stream of unknown length is counted."""
    if isinstance(train, Indexed):
        return recipe.per_epoch(len(train))
    try:
        return max(1, len(train))  # type: ignore[arg-type]
    except TypeError:
        return max(1, sum(1 for _ in train))


def steps_in_all(task: Task, recipe: Recipe) -> int:
    """Gradient steps of the recipe's epochs on the task's training data.

    Raises:
        ValueError: if the task has none, by whose passes epochs are counted.
    """
    if recipe.epochs == 0:
        return 0
    if task.train_loader is None:
        raise ValueError(
            f"task: {recipe.epochs:g} epochs of fine-tuning are passes over training data, and "
            "there are none; give train_loader"
        )
    return recipe.steps_of(steps_of_pass(task.train_loader, recipe))


def augment(train: Indexed, recipe: Recipe, steps: int) -> Iterator[tuple[Any, Any]]:
    """`steps` random batches of (inputs, labels), every sample once a pass.

    Images, (samples, channels, height, width), are shifted and mirrored as the recipe says; inputs
    of other shapes are left alone. Draws from torch's global generator.
    """
    size = min(recipe.batch_size, len(train))
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(train))
        chosen, order = order[:size], order[size:]
        inputs, labels = train.batch(chosen)
        if isinstance(inputs, Tensor) and inputs.dim() == 4 and (recipe.flip or recipe.shift):
            _check_labels(labels)
            inputs = flip(inputs) if recipe.flip else inputs
            inputs = shift(inputs, recipe.shift) if recipe.shift else inputs
        yield inputs, labels


def _check_labels(labels: Any) -> None:
    if any(one.dim() > 1 for one in tensors(labels)):
        raise ValueError(
            "recipe: shift and flip move images and not what is known of their places; augment in "
            "a train_loader of your own"
        )


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
