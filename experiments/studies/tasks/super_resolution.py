"""Super-resolution: photographs of scikit-learn's two, in patches, from half of their size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.evaluation import score
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.training import trained

SIDE = 48
"""Pixels of a patch at its full size."""


class Upscaler(nn.Module):
    """Residual blocks at the small size, then a pixel shuffle on top of a plain enlargement.

    Args:
        width: Channels.
        blocks: Of two convolutions each.
    """

    def __init__(self, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # It begins as the plain enlargement.
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        found = self.head(images)
        for block in self.blocks:
            found = found + block(found)
        plain = F.interpolate(images, scale_factor=2, mode="bicubic", align_corners=False)
        return plain + F.pixel_shuffle(self.tail(found), 2)


def patches() -> tuple[Tensor, Tensor, Tensor]:
    """Patches (count, 3, `SIDE`, `SIDE`) in [0, 1] to train on, to score on and to test on.

    Of both photographs the left three fifths, the next and the last.
    """
    from sklearn.datasets import load_sample_image

    found: tuple[list[Tensor], ...] = ([], [], [])
    for name in ("china.jpg", "flower.jpg"):
        photo = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1) / 255
        for part, (left, right) in zip(found, pairwise((0, 384, 512, 640)), strict=True):
            step = SIDE // 2 if part is found[0] else SIDE
            cut = photo[:, :, left:right].unfold(1, SIDE, step).unfold(2, SIDE, step)
            part.append(cut.permute(1, 2, 0, 3, 4).flatten(0, 1))
    train, held, test = (torch.cat(part) for part in found)
    return train, held, test


def pairs(full: Tensor) -> amc.Samples:
    """The same at half of their size, with the full ones as targets."""
    return amc.Samples(F.interpolate(full, scale_factor=0.5, mode="area"), full)


def psnr(network: nn.Module, samples: amc.Samples) -> float:
    """Peak signal-to-noise ratio in decibels over all patches."""
    return -10 * math.log10(score(network, amc.Regression(None, samples)))


def make(small: bool) -> Work:
    """Trained on patches of the left parts."""
    train, holdout, test = (pairs(part[:24] if small else part) for part in patches())
    loss = amc.Regression(train, holdout)
    task = amc.Task(
        lambda network: psnr(network, holdout),
        amc.Score("PSNR", "dB"),
        data_loader=train,
        train_loader=train,
        loss_func=loss.loss_func,
        test_func=lambda network: psnr(network, test),
    )
    torch.manual_seed(0)
    network = Upscaler(8, 1) if small else Upscaler()
    recipe = amc.Recipe(lr=1e-3, optimizer="adamw", batch_size=32, warmup=0.1)
    trained("super-resolution", network, task, recipe, 4 if small else 2500, keep=not small)
    tuning = amc.Recipe(lr=5e-4, optimizer="adamw", batch_size=32)
    return Work(network, train.array[:1], task, tuning, 4 if small else 150)


CASE = Case(
    "a residual network that doubles the size of photographs, PSNR by a function",
    make,
    "macs=0.3",
    60,
)
