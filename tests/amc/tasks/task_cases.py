"""One small case for each task: a network, inputs, and the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import amc
from amc.modules import Inputs
from amc.tasks import Task


class Case(NamedTuple):
    """What a task is tried on."""

    model: nn.Module
    example: Inputs
    task: Task


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole(high: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


def convolutions(outputs: int, *after: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 10, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(10, outputs, 1),
        *after,
    ).eval()


def pooled(outputs: int) -> nn.Module:
    return convolutions(outputs, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Words(nn.Module):
    """A language model that answers by name, as those of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.hidden, self.out = nn.Embedding(20, 8), nn.Linear(8, 16), nn.Linear(16, 20)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        return {"logits": self.out(torch.relu(self.hidden(self.embed(input_ids))))}


class Two(nn.Module):
    """Two inputs, and outputs by name."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other, self.last = nn.Linear(6, 12), nn.Linear(4, 12), nn.Linear(12, 3)

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        hidden = torch.relu(self.one(first) + self.other(second))
        return {"out": self.last(hidden), "most": self.last(hidden).argmax(1)}


IMAGES = drawn(24, 3, 8, 8)


def classification() -> Case:
    data = amc.Samples(IMAGES, whole(4, 24))
    return Case(pooled(4), IMAGES[:1], amc.Classification(data, data, data))


def one_logit() -> Case:
    data = amc.Samples(IMAGES, whole(2, 24))
    return Case(pooled(1), IMAGES[:1], amc.Classification(data, data))


def streamed() -> Case:
    loader = DataLoader(TensorDataset(IMAGES, whole(4, 24)), 7)
    return Case(pooled(4), IMAGES[:1], amc.Classification(loader, loader, loader))


def multi_label() -> Case:
    data = amc.Samples(IMAGES, whole(2, 24, 4))
    return Case(pooled(4), IMAGES[:1], amc.MultiLabel(data, data))


def segmentation() -> Case:
    labels = whole(4, 24, 8, 8)
    labels[:, 0] = 255
    data = amc.Samples(IMAGES, labels)
    return Case(convolutions(4), IMAGES[:1], amc.Segmentation(data, data))


def regression() -> Case:
    data = amc.Samples(IMAGES, IMAGES.mean((1, 2, 3)))
    return Case(pooled(1), IMAGES[:1], amc.Regression(data, data))


def language() -> Case:
    tokens = whole(20, 12, 9)
    mask = torch.ones_like(tokens)
    mask[::2, 5:] = 0
    batches = [
        {"input_ids": tokens[at : at + 4], "attention_mask": mask[at : at + 4]}
        for at in range(0, 12, 4)
    ]
    example = {name: one[:1] for name, one in batches[0].items()}
    return Case(Words().eval(), example, amc.LanguageModel(batches, batches))


def unlabelled() -> Case:
    return Case(pooled(4), IMAGES[:1], amc.Unlabelled(IMAGES, test=drawn(8, 3, 8, 8, seed=3)))


def two_inputs() -> Case:
    data = amc.Samples((drawn(24, 6), drawn(24, 4, seed=1)))
    return Case(Two().eval(), (drawn(1, 6), drawn(1, 4)), amc.Unlabelled(data))


def mean_answer(model: nn.Module) -> float:
    made: Tensor = model(IMAGES)
    return float(made.mean())


def own() -> Case:
    score = amc.Score("mean answer", higher_is_better=False)
    return Case(pooled(4), IMAGES[:1], amc.Task(mean_answer, score))


CASES: dict[str, Callable[[], Case]] = {
    made.__name__: made
    for made in (
        *(classification, one_logit, streamed, multi_label, segmentation, regression, language),
        *(unlabelled, two_inputs, own),
    )
}
