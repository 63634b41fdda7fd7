"""The network as it came, tried on a task before any work: whether the two go together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amc.devices import evaluating, own_generators
from amc.evaluation.scoring import score
from amc.modules import call, duplicate, tensors
from amc.tasks import MOST, Task, few, first_batch, placed, replace_parts

AGAIN = 1e-3
"""By how much of itself a score may differ from one time to the next: sums are rounded."""

FEW = 8
"""Samples by which it is seen that a metric suits a network."""


def try_unpruned(model: nn.Module, task: Task) -> float | None:
    """That of the network as it came, where it is needed; see that the task suits the network.

    Raises:
        ValueError: if it does not, or a function of the user's own scores otherwise each time.
    """
    if task.score_func is None:
        _try(model, task)
        return _by_metric(model, task) if task.score.needs_unpruned else None
    # Copies, because a function may do as it likes with what it is given.
    found, again = (score(duplicate(model), task) for _ in range(2))
    if abs(again - found) > AGAIN * max(abs(found), abs(again)):
        raise ValueError(
            f"{task.score.name}: score_func gave {found:g} and then {again:g} for one network, "
            "so that candidates could not be compared; seed what is random in it, and neither "
            "shuffle nor augment its data"
        )
    return found


def _by_metric(model: nn.Module, task: Task) -> float:
    found = score(model, task)
    if abs(found) >= MOST:
        raise ValueError(
            f"{task.score.name}: the metric comes to no finite number for the network as it came; "
            "see what it answers, and what the data ask of it"
        )
    return found


def _try(model: nn.Module, task: Task) -> None:
    """Score a few samples, so that what does not fit is refused before any work.

    Raises:
        ValueError: if something does not, or the network answers otherwise each time.
    """
    assert task.score_loader is not None
    few_samples = few(task.score_loader, FEW)
    score(model, replace_parts(task, score_loader=few_samples))
    inputs = placed(task.inputs(first_batch(few_samples, FEW)), model)
    with evaluating(model), torch.inference_mode(), own_generators():
        answers = [tensors(call(model, inputs)) for _ in range(2)]
    if not all(map(_alike, *answers)):
        raise ValueError(
            "task: the network answers otherwise each time that it is asked, so that candidates "
            "could not be compared; let it return a mean where it draws at random, or seed what it "
            "draws"
        )


def _alike(one: Tensor, other: Tensor) -> bool:
    """Within what sums in another order come to."""
    if one.shape != other.shape or not one.is_floating_point():
        return torch.equal(one, other)
    size = one.double().abs().nan_to_num(posinf=0.0).mean() if one.numel() else 0.0
    return torch.allclose(one.double(), other.double(), AGAIN, AGAIN * float(size), equal_nan=True)
