"""The statistics of batch norms, measured again."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from amc.devices import evaluating, in_parts
from amc.evaluation.preparing import BATCH, laid_out
from amc.modules import call
from amc.tasks import Calibration, batches, calibrating, placed, size_of


def recalibrate(
    model: nn.Module,
    calibration: Calibration,
    batch_size: int = BATCH,
    *,
    names: Collection[str] | None = None,
) -> nn.Module:
    """Measure the running statistics of batch norms again, in place, on training samples.

    The statistics are the plain average over the batches (momentum None), not a moving one. A last
    batch of a single sample is left out: it has no variance. Norms that the forward pass does not
    reach keep what they had, and all do where it fails. Where memory runs out, batches are made
    smaller.

    Args:
        model: Its mode and weights are left as they are.
        calibration: What it runs on.
        batch_size: Samples a batch.
        names: Modules among which the norms are looked for; None takes all.

    Raises:
        MemoryError: if memory runs out even for two samples at a time.
        ValueError: if the task has no calibration data.
    """
    task, data = calibrating(calibration)

    def measure(parts: int) -> nn.Module:
        with torch.no_grad(), evaluating(model), ExitStack() as stack:
            for name, module in model.named_modules():
                if isinstance(module, _BatchNorm) and (names is None or name in names):
                    stack.enter_context(_measure_anew(module))
            for batch in _of_several(batches(data, max(1, batch_size // parts))):
                call(model, laid_out(placed(task.inputs(batch), model)))
        return model

    return in_parts(measure, max(1, batch_size // 2), "measuring batch norms again")


def _of_several(found: Iterator[Any]) -> Iterator[Any]:
    """The batches of more than one sample; a single one where there is no other."""
    start = list(islice(found, 2))
    if len(start) < 2:
        yield from start
    else:
        yield from (batch for batch in chain(start, found) if size_of(batch) > 1)


@contextmanager
def _measure_anew(norm: _BatchNorm) -> Iterator[None]:
    """Within, statistics begin anew; where none come out of it, they are what they were."""
    momentum, before = norm.momentum, copy.deepcopy(norm.state_dict())
    norm.reset_running_stats()
    norm.momentum = None
    norm.train()
    measured = False
    try:
        yield
        measured = bool(norm.num_batches_tracked)
    finally:
        norm.momentum = momentum
        if not measured:
            norm.load_state_dict(before)
