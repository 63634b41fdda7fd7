"""torchvision's SSDlite on scenes of Fashion-MNIST, by mean average precision.

`make .venv-zoo/.installed` makes an environment that has the packages, torchmetrics among them.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

import amc
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.scenes import CLASSES, Scenes, scenes
from experiments.studies.tasks.training import kept

PIXELS = 128
"""That the detector enlarges a scene to."""
BATCH = 16


def ssdlite() -> nn.Module:
    """SSDlite on MobileNet V3 with random weights.

    Raises:
        ImportError: if torchvision is not installed.
    """
    make = import_module("torchvision.models.detection").ssdlite320_mobilenet_v3_large
    torch.manual_seed(0)
    made: Any = make(weights=None, weights_backbone=None, num_classes=CLASSES)
    made.transform.fixed_size = (PIXELS, PIXELS)
    return made.eval()  # type: ignore[no-any-return]


def coloured(images: Tensor) -> list[Tensor]:
    """What the detector takes: one tensor (3, height, width) a picture."""
    return list(images.expand(-1, 3, -1, -1))


def precision(network: nn.Module, made: Scenes) -> float:
    """Mean average precision over classes and overlaps from 0.5 to 0.95, as COCO counts it."""
    metric = import_module("torchmetrics.detection").MeanAveragePrecision()
    metric.warn_on_many_detections = False
    pictures = coloured(made.images)
    for first in range(0, len(pictures), BATCH):
        several = slice(first, first + BATCH)
        wanted = [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(made.boxes[several], made.labels[several], strict=True)
        ]
        metric.update(network(pictures[several]), wanted)
    return float(metric.compute()["map"])


def train(network: nn.Module, made: Scenes, steps: int, lr: float) -> nn.Module:
    """Its own losses, on boxes and labels, by AdamW with a cosine."""
    torch.manual_seed(0)
    pictures = coloured(made.images)
    optimiser = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-4)
    warm = max(1, steps // 20)
    network.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            part = min(1, (step + 1) / warm) * (1 + math.cos(math.pi * step / steps)) / 2
            group["lr"] = lr * part
        drawn = torch.randint(len(pictures), (BATCH,)).tolist()
        targets = [{"boxes": made.boxes[one], "labels": made.labels[one]} for one in drawn]
        losses = network([pictures[one] for one in drawn], targets)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    return network.eval()


def make(small: bool) -> Work:
    """Trained on 4,000 scenes."""
    counts = (16, 4, 4) if small else (4000, 80, 300)
    parts = zip(counts, ("train", "train", "test"), strict=True)
    data, held, test = (scenes(count, split, seed) for seed, (count, split) in enumerate(parts))
    network = kept(
        "detection",
        ssdlite(),
        lambda one: train(one, data, 2 if small else 2000, 2e-3),
        keep=not small,
    )
    pictures = coloured(data.images[:256])
    batches = [(pictures[at : at + BATCH],) for at in range(0, len(pictures), BATCH)]
    task = amc.Task(
        score_func=lambda one: precision(one, held),
        score=amc.Score("mAP", bounds=(0, 1), about="over overlaps from 0.5 to 0.95"),
        data_loader=batches,
        collect_func=lambda batch: batch,
        test_func=lambda one: precision(one, test),
        tune=lambda one, steps: train(one, data, steps, 5e-4),
    )
    return Work(network, (pictures[:1],), task, amc.Recipe(), 2 if small else 100)


CASE = Case(
    "SSDlite of torchvision on scenes of Fashion-MNIST, mAP through the score alone",
    make,
    "macs=0.5",
    30,
)
