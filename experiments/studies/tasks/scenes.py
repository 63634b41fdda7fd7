"""Scenes: several photographs of Fashion-MNIST in one picture, on a noisy ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

import amc
from experiments.zoo import load_dataset

SIDE = 64
"""Pixels of a scene."""
CLASSES = 11
"""The ground, and ten kinds of clothes."""
_CELL = SIDE // 2
_GREY = 0.1
"""From this grey on a pixel belongs to the piece."""


@dataclass(frozen=True)
class Scenes:
    """Pictures, and what is where in them.

    Args:
        images: (count, 1, `SIDE`, `SIDE`), about [0, 1].
        places: (count, `SIDE`, `SIDE`) class of every pixel, 0 for the ground.
        boxes: Of each scene (pieces, 4): left, top, right and bottom in pixels.
        labels: Of each scene (pieces,), from 1 on.
    """

    images: Tensor
    places: Tensor
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]


@cache
def _pieces(split: str) -> tuple[Tensor, Tensor]:
    """(count, 1, 28, 28) photographs in [0, 1], and their labels."""
    data = load_dataset("fashion-mnist")
    samples = data.test if split == "test" else data.train
    assert isinstance(samples, amc.Samples)
    array = samples.array
    return (array - array.min()) / (array.max() - array.min()), samples.labels


def scenes(count: int, split: str, seed: int) -> Scenes:
    """So many scenes of one to four pieces, one in a quarter of the picture, none over another.

    Args:
        count: Of them.
        split: "train" or "test": which photographs are taken.
        seed: The same one gives the same scenes.
    """
    photographs, kinds = _pieces(split)
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(count, 1, SIDE, SIDE, generator=generator)
    places = torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    boxes, labels = [], []
    for scene in range(count):
        own_boxes, own_labels = [], []
        many = int(torch.randint(1, 5, (), generator=generator))
        for cell in torch.randperm(4, generator=generator)[:many].tolist():
            number = int(torch.randint(len(kinds), (), generator=generator))
            side = int(torch.randint(18, _CELL + 1, (), generator=generator))
            right, down = torch.randint(_CELL - side + 1, (2,), generator=generator).tolist()
            left, top = cell % 2 * _CELL + right, cell // 2 * _CELL + down
            piece = F.interpolate(photographs[number][None], size=side, mode="area")[0, 0]
            seen, label = piece > _GREY, int(kinds[number]) + 1
            where = (slice(top, top + side), slice(left, left + side))
            images[scene, 0][where] = torch.where(seen, piece, images[scene, 0][where])
            places[scene][where] = torch.where(seen, label, places[scene][where])
            own_boxes.append(_box(seen) + torch.tensor([left, top, left, top]))
            own_labels.append(label)
        boxes.append(torch.stack(own_boxes).float())
        labels.append(torch.tensor(own_labels))
    return Scenes(images, places, tuple(boxes), tuple(labels))


def _box(seen: Tensor) -> Tensor:
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    return torch.stack((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
