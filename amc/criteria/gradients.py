"""What the loss does when a unit goes, estimated from gradients on calibration samples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from amc.criteria.base import Asked, Criterion, weighted_layers
from amc.criteria.members import unit_sums
from amc.devices import device_of, evaluating
from amc.structure import Group

BATCH = 100


def taylor() -> Criterion:
    """First-order change of the loss, |sum of w dL/dw| over all weights of a unit.

    Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019.
    """
    return Criterion("first-order change of the loss", _taylor_units, _taylor_weights, True)


def _taylor_units(asked: Asked) -> list[Tensor]:
    changes = _first_order(asked)
    return [_summed(asked, group, changes).abs() for group in asked.graph.groups]


def _taylor_weights(asked: Asked) -> dict[str, Tensor]:
    return {name: change.abs() for name, change in _first_order(asked).items()}


def _first_order(asked: Asked) -> dict[str, Tensor]:
    """w dL/dw of every weight, L the mean cross-entropy of all calibration samples."""
    weights = weighted_layers(asked)
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, labels in asked.data.batches(BATCH):
        for name, gradient in _gradients(asked, inputs, labels).items():
            total[name] += gradient * (len(labels) / len(asked.data))
    return {name: weight * total[name] for name, weight in weights.items()}


def _summed(asked: Asked, group: Group, values: dict[str, Tensor]) -> Tensor:
    """(units,) sum of the values of all weights that a unit takes from its members."""
    return torch.stack(
        [
            unit_sums(asked.model.get_submodule(member.module), values[member.module], member)
            for member in group.members
            if member.module in values
        ]
    ).sum(0)


def _gradients(asked: Asked, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Gradients of the batch's mean cross-entropy with respect to every layer's weight."""
    device = device_of(asked.model)
    weights = {name: w.requires_grad_() for name, w in weighted_layers(asked).items()}
    own = {f"{name}.weight": weight for name, weight in weights.items()}
    with torch.enable_grad(), evaluating(asked.model):
        logits = functional_call(asked.model, own, (inputs.to(device),))
        loss = F.cross_entropy(logits, labels.to(device))
        found = torch.autograd.grad(
            loss, list(weights.values()), allow_unused=True, materialize_grads=True
        )
    return dict(zip(weights, found, strict=True))
