"""A U-Net of segmentation-models-pytorch on scenes of Fashion-MNIST, by mean IoU.

`make .venv-zoo/.installed` makes an environment that has the package.
"""

from __future__ import annotations

from importlib import import_module

import torch
from torch import nn

import amc
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.scenes import CLASSES, SIDE, scenes
from experiments.studies.tasks.training import trained


def unet(small: bool) -> nn.Module:
    """With the first stages of a ResNet-18 for encoder and random weights; for grey pictures.

    Raises:
        ImportError: if segmentation-models-pytorch is not installed.
    """
    torch.manual_seed(0)
    widths = (16, 8, 8) if small else (128, 64, 32, 16)
    made: nn.Module = import_module("segmentation_models_pytorch").Unet(
        "resnet18",
        encoder_depth=len(widths),
        encoder_weights=None,
        decoder_channels=widths,
        in_channels=1,
        classes=CLASSES,
    )
    return made


def make(small: bool) -> Work:
    """Trained on 6,000 scenes."""
    counts = (8, 4, 4) if small else (6000, 200, 1000)
    parts = zip(counts, ("train", "train", "test"), strict=True)
    made = [scenes(count, split, seed) for seed, (count, split) in enumerate(parts)]
    train, holdout, test = (amc.Samples(one.images, one.places) for one in made)
    task = amc.Segmentation(train, holdout, test)
    network = unet(small)
    recipe = amc.Recipe(lr=2e-3, optimizer="adamw", batch_size=32, warmup=0.1)
    trained("segmentation", network, task, recipe, 2 if small else 1200, keep=not small)
    tuning = amc.Recipe(lr=1e-3, optimizer="adamw", batch_size=32)
    return Work(network, torch.zeros(1, 1, SIDE, SIDE), task, tuning, 2 if small else 100)


CASE = Case(
    "a U-Net of segmentation-models-pytorch on scenes of Fashion-MNIST, mean IoU",
    make,
    "macs=0.3",
    40,
)
