"""A small network of every kind of layer, and what its export gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amc.graph import PruningGraph
from experiments.latency.profiling.templates import Template


class Small(nn.Module):
    """A convolution, a depthwise and a pointwise one around a sum, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 12, 3, padding=1)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.pointwise = nn.Conv2d(12, 12, 1)
        self.wide = nn.Conv2d(12, 40, 3, stride=2, padding=1)
        self.linear = nn.Linear(40 * 9, 5)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, 2, 6, 6) to (samples, 5)."""
        first = torch.relu(self.stem(images))
        total = first + self.pointwise(torch.relu(self.norm(self.depthwise(first))))
        logits: Tensor = self.linear(torch.relu(self.wide(total)).flatten(1))
        return logits


@dataclass(frozen=True)
class Exported:
    """A network with its graph, a batch of inputs, and its template."""

    model: nn.Module
    inputs: Tensor
    graph: PruningGraph
    template: Template
