"""Super-resolution: the photographs of Fashion-MNIST from half of their size, by PSNR."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.evaluation import score
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.training import trained
from experiments.zoo import load_dataset


class Upscaler(nn.Module):
    """Residual blocks at the small size, then a pixel shuffle on top of a plain enlargement.

    Args:
        width: Channels.
        blocks: Of two convolutions each.
    """

    def __init__(self, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # It begins as the plain enlargement.
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        found = self.head(images)
        for block in self.blocks:
            found = found + block(found)
        plain = F.interpolate(images, scale_factor=2, mode="bicubic", align_corners=False)
        return plain + F.pixel_shuffle(self.tail(found), 2)


def photographs(counts: Sequence[int]) -> Iterator[Tensor]:
    """(count, 1, 28, 28) in [0, 1] to train on and to score on, and of the test part to test on."""
    data = load_dataset("fashion-mnist")
    parts = zip(counts, (data.train, data.train, data.test), (0, 50_000, 0), strict=True)
    for count, samples, first in parts:
        assert isinstance(samples, amc.Samples)
        raw = samples.array[first : first + count]
        yield (raw - raw.min()) / (raw.max() - raw.min())


def pairs(full: Tensor) -> amc.Samples:
    """The same at half of their size, with the full ones as targets."""
    return amc.Samples(F.interpolate(full, scale_factor=0.5, mode="area"), full)


def psnr(network: nn.Module, samples: amc.Samples) -> float:
    """Peak signal-to-noise ratio in decibels over all pictures."""
    return -10 * math.log10(score(network, amc.Regression(None, samples)))


def make(small: bool) -> Work:
    """Trained on 20,000 photographs."""
    counts = (24, 8, 8) if small else (20_000, 1000, 2000)
    train, holdout, test = (pairs(full) for full in photographs(counts))
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
    "a residual network that doubles the size of Fashion-MNIST's photographs, PSNR by a function",
    make,
    "macs=0.3",
    60,
)
