"""Early stopping: training ends when the held-out score gets no better, at its best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amc.devices import device_of
from amc.evaluation import score
from amc.tasks import Task

LEAST_CHECKS = 10
"""In a training shorter than so many epochs, checks come more often than once an epoch."""


def check_interval(total: int, per_epoch: int) -> int:
    """Gradient steps from one check to the next, of `total` with `per_epoch` in an epoch."""
    return max(1, min(per_epoch, total // LEAST_CHECKS))


class BestWeights:
    """The weights that were best on held-out samples so far.

    Args:
        model: In training; the weights that it has now are the first to beat.
        task: Whose score says it, on samples that it is not trained on.
        patience: Checks without a better score after which it is enough; 0 is never enough.
    """

    def __init__(self, model: nn.Module, task: Task, patience: int) -> None:
        self._model, self._task, self._patience = model, task, patience
        self._score = math.nan
        self._state: dict[str, Tensor] = {}
        self._since = 0
        self.check()

    def check(self) -> bool:
        """Measure the present weights; True where training has gone on in vain for long enough."""
        found = score(self._model, self._task, half=True)
        if math.isnan(self._score) or self._task.score.better(found, self._score):
            self._score, self._since = found, 0
            self._state = {name: _copy(item) for name, item in self._model.state_dict().items()}
        else:
            self._since += 1
        return 0 < self._patience <= self._since

    def restore(self) -> None:
        """Put the best weights back into the network."""
        self._model.load_state_dict(self._state)

    def pack(self) -> dict[str, Tensor]:
        """All of this as tensors."""
        standing = torch.tensor([self._score, self._since], dtype=torch.float64)
        return {"standing": standing, **{f"best.{name}": t for name, t in self._state.items()}}

    def unpack(self, state: Mapping[str, Tensor]) -> None:
        """Be as what was packed."""
        reached, since = state["standing"].tolist()
        self._score, self._since = reached, int(since)
        device = device_of(self._model)
        self._state = {name: state[f"best.{name}"].to(device) for name in self._state}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.preserve_format)
