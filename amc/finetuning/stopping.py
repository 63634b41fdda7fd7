"""Early stopping: training ends when held-out accuracy no longer rises, at its best weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amc.devices import bfloat16_is_fast, device_of
from amc.evaluation import accuracy
from amc.tasks import Samples

LEAST_CHECKS = 10
"""In a training shorter than so many epochs, checks come more often than once an epoch."""


def check_interval(total: int, per_epoch: int) -> int:
    """Gradient steps from one check to the next, of `total` with `per_epoch` in an epoch."""
    return max(1, min(per_epoch, total // LEAST_CHECKS))


class BestWeights:
    """The weights that were most accurate on held-out samples so far.

    Args:
        model: In training; the weights that it has now are the first to beat.
        holdout: Samples that it is not trained on.
        patience: Checks without a better accuracy after which it is enough; 0 is never enough.
    """

    def __init__(self, model: nn.Module, holdout: Samples, patience: int) -> None:
        self._model, self._holdout, self._patience = model, holdout, patience
        self._accuracy = -1.0
        self._state: dict[str, Tensor] = {}
        self._since = 0
        self.check()

    def check(self) -> bool:
        """Measure the present weights; True where training has gone on in vain for long enough."""
        half = bfloat16_is_fast(device_of(self._model))
        found = accuracy(self._model, self._holdout, bfloat16=half)
        if found > self._accuracy:
            self._accuracy, self._since = found, 0
            self._state = {name: _copy(item) for name, item in self._model.state_dict().items()}
        else:
            self._since += 1
        return 0 < self._patience <= self._since

    def restore(self) -> None:
        """Put the best weights back into the network."""
        self._model.load_state_dict(self._state)

    def pack(self) -> dict[str, Tensor]:
        """All of this as tensors."""
        standing = torch.tensor([self._accuracy, self._since], dtype=torch.float64)
        return {"standing": standing, **{f"best.{name}": t for name, t in self._state.items()}}

    def unpack(self, state: Mapping[str, Tensor]) -> None:
        """Be as what was packed."""
        accuracy, since = state["standing"].tolist()
        self._accuracy, self._since = accuracy, int(since)
        device = device_of(self._model)
        self._state = {name: state[f"best.{name}"].to(device) for name in self._state}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.preserve_format)
