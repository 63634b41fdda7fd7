"""What the loss does when a unit goes, estimated from the gradients of single samples.

With v_s(n) = w_s dL_n/dw_s for weight s and the loss L_n of sample n, sums over the weights of a
unit are exact first-order changes of L_n. A unit goes when all that read it read nothing, and also
when all that write it write nothing: both at once would count it twice. Its weights are those of
its readers, all of them: on the writing side the shift of a batch norm would stay out of sight.

Departures from the papers:
1. Molchanov et al. (2019) average squares over mini-batches. At the end of training the changes of
   a batch nearly cancel, so sizes (as in 2017) are averaged over single samples instead.
2. LeCun et al. propagate second derivatives; here h is the empirical Fisher diagonal, the mean
   square of the samples' gradients. It is the Gauss-Newton one where the network predicts as the
   labels are distributed, and is never negative.
3. A whole channel has the quadratic form of all of its weights, with the products of different
   ones, and not only their diagonal (Theis et al., "Faster gaze prediction with dense networks and
   Fisher pruning", 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from amc.criteria.base import Asked, Criterion, unit_weights, weight_keys, weighted_layers
from amc.criteria.members import group_sums
from amc.devices import evaluating, right_gradients
from amc.graph import Group
from amc.tasks import Indexed, Task, TaskError, batches, few, placed

SAMPLES = 500
"""Gradients are taken of at most so many samples, drawn from those given."""

Change = Callable[[Tensor], Tensor]
"""From first-order changes of one sample's loss to how much they count."""


def taylor() -> Criterion:
    """Mean size of the loss's first-order change, |sum of w dL_n/dw| over a unit's weights.

    Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference",
    ICLR 2017, and "Importance Estimation for Neural Network Pruning", CVPR 2019.
    """
    return by_change("first-order change of the loss, |w dL/dw|", torch.abs)


def hessian() -> Criterion:
    """Second-order change of the loss at a minimum, 1/2 h w^2, with h the empirical Fisher.

    LeCun et al., "Optimal Brain Damage", NIPS 1989: the gradient is taken to be 0, as it is on
    average where training has ended.
    """
    return by_change("second-order change of the loss, 1/2 h w^2", lambda v: v.square() / 2)


def by_change(about: str, change: Change) -> Criterion:
    """Mean over the samples of `change`, applied to the first-order change of a sample's loss."""
    return Criterion(
        about,
        units=lambda asked: _units(asked, change),
        weights=lambda asked: _weights(asked, change),
        needs_samples=True,
        needs_loss=True,
    )


def _units(asked: Asked, change: Change) -> list[Tensor]:
    total, count = [torch.zeros(group.units) for group in asked.graph.groups], 0
    for values in _changes(asked):
        count += 1
        for score, group in zip(total, asked.graph.groups, strict=True):
            score += change(_read(asked, group, values)).cpu()
    return [score / max(1, count) for score in total]


def _weights(asked: Asked, change: Change) -> dict[str, Tensor]:
    total = {
        name: torch.zeros_like(w, dtype=torch.float32) for name, w in weighted_layers(asked).items()
    }
    count = 0
    for values in _changes(asked):
        count += 1
        for name, value in values.items():
            total[name] += change(value)
    return {name: score / max(1, count) for name, score in total.items()}


def _read(asked: Asked, group: Group, values: dict[str, Tensor]) -> Tensor:
    """(units,) sum of the values of all weights that read a unit."""
    sums = group_sums(asked.model, group, values)
    read = [total for side, total in sums if side == "in"]
    return torch.stack(read or [total for _, total in sums]).sum(0)


def _changes(asked: Asked) -> Iterator[dict[str, Tensor]]:
    """For each sample in turn, w dL/dw of every weight."""
    weights = unit_weights(asked)
    # One by one: at single samples the processor is quicker so than with torch.func.vmap.
    for batch in _drawn(asked.known_task, asked.seed):
        gradients = _gradients(asked, batch)
        yield {n: weights[n].float() * gradients[n].float() for n in weights}


def _drawn(task: Task, seed: int) -> Iterator[Any]:
    """Batches of one sample: of those in memory random ones, of a stream the first."""
    data = task.data_loader
    assert data is not None
    if isinstance(data, Indexed):
        generator = torch.Generator().manual_seed(seed)
        data = data.take(torch.randperm(len(data), generator=generator)[:SAMPLES])
    return batches(few(data, SAMPLES), 1)


def _gradients(asked: Asked, batch: Any) -> dict[str, Tensor]:
    """Gradients of the mean loss with respect to every layer's weight."""
    task, keys = asked.known_task, weight_keys(asked)
    weights = {name: w.requires_grad_() for name, w in unit_weights(asked).items()}
    own = {f"{name}.{keys[name]}" if name in keys else name: w for name, w in weights.items()}
    with torch.enable_grad(), evaluating(asked.model):
        # Layers that share a weight each have a gradient of their own.
        inputs = placed(task.inputs(batch), asked.model)
        named = dict(inputs) if isinstance(inputs, Mapping) else {}
        given = () if named else inputs if isinstance(inputs, tuple) else (inputs,)
        outputs = functional_call(asked.model, own, given, named, tie_weights=False)
        loss = task.loss(outputs, batch)
        if not loss.isfinite():
            raise TaskError(
                f"task: the loss of a sample is {loss.item()}, so that its gradients rank nothing; "
                "see what loss_func makes of the unpruned network's outputs"
            )
        with right_gradients(asked.model):
            found = torch.autograd.grad(
                loss, list(weights.values()), allow_unused=True, materialize_grads=True
            )
    return dict(zip(weights, found, strict=True))
