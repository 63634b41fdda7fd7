"""Channels that the layers reading them can do without, once their weights are refit.

He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, choose channels
and refit the weights in turn, so that a layer's output changes least on calibration samples.

Departures from the paper:
1. Channels are chosen by greedy backward elimination instead of the LASSO: of all that are left
   goes the one without which the refit output is closest to the original; then the weights are
   refit. One pass ranks all channels, so that every kept count has its answer.
2. Each step is exact and needs no data. With C the second moment of the inputs, P the inverse of
   its part that is left and B the refit weights, dropping the columns J adds B_J' P_JJ^-1 B_J to
   the squared error ("Optimal Brain Surgeon", Hassibi & Stork, NIPS 1992, for blocks).
3. Where several layers read a unit, their errors add up, each as a share of its output's power.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from amc.criteria.base import Asked, Criterion
from amc.graph import Group, Member
from amc.modules import known_kind
from amc.refit import RIDGE, Moment, Moments


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's units, its weights refit to those that are left.

    Args:
        inverse: (d, d) inverse of the inputs' second moment, of the columns that are left.
        weight: (d, outputs) refit weights; zeros in columns that are gone.
        columns: (units, columns of a unit) input columns of each unit.
        power: Mean square of the original output, summed over the outputs.
    """

    inverse: Tensor
    weight: Tensor
    columns: Tensor
    power: float

    def losses(self, units: Tensor) -> Tensor:
        """(units,) error that each of these units adds if it goes, as a share of the output."""
        columns = self.columns[units]
        within = self.inverse[columns[:, :, None], columns[:, None, :]]  # P_JJ of each unit
        weight = self.weight[columns]  # (units, columns of a unit, outputs)
        solved = torch.cholesky_solve(weight, torch.linalg.cholesky(within))
        return (weight * solved).sum((1, 2)) / self.power

    def without(self, unit: int) -> Reader:
        """The layer once this unit is gone and the others are refit."""
        gone = self.columns[unit]
        across = self.inverse[gone]  # (columns of a unit, d)
        step = torch.linalg.solve(across[:, gone], across).T  # (d, columns of a unit)
        weight, inverse = self.weight - step @ self.weight[gone], self.inverse - step @ across
        return replace(self, inverse=inverse, weight=weight)


def regression() -> Criterion:
    """Error of the reading layers' outputs once a unit and all that are cheaper are gone."""
    return Criterion(
        "error of the next layer's output after a refit",
        _units,
        "it chooses which inputs a layer can do without, and these are whole channels",
        needs_samples=True,
    )


def _units(asked: Asked) -> list[Tensor]:
    moments = Moments.collect(asked.model, asked.graph, asked.known_task, seed=asked.seed).by_layer
    readers = [_readers(asked, group, moments) for group in asked.graph.groups]
    bare = [
        group.name for group, found in zip(asked.graph.groups, readers, strict=True) if not found
    ]
    if bare:
        raise ValueError(
            f"criterion 'regression': no layer that can be refit reads {', '.join(bare)}; "
            "leave these layers out of the pruning, or take another criterion"
        )
    return [eliminate(found) for found in readers]


def eliminate(readers: Sequence[Reader]) -> Tensor:
    """(units,) error in all when each unit goes, cheapest first, summed over the readers."""
    left = torch.arange(len(readers[0].columns))
    score, error = torch.zeros(len(left), dtype=torch.float64), 0.0
    while len(left):
        losses = torch.stack([reader.losses(left) for reader in readers]).sum(0)
        cheapest = int(losses.argmin())
        unit, error = int(left[cheapest]), error + float(losses[cheapest])
        score[unit] = error
        readers = [reader.without(unit) for reader in readers]
        left = left[left != unit]
    return score


def _readers(asked: Asked, group: Group, moments: Mapping[str, Moment]) -> list[Reader]:
    return [
        _reader(asked, member, moments[member.module])
        for member in group.members
        if member.side == "in" and member.module in moments
    ]


def _reader(asked: Asked, member: Member, moment: Moment) -> Reader:
    layer = asked.graph.layers[asked.graph.layer_index[member.module]]
    module = asked.model.get_submodule(layer.name)
    kernel = asked.model.get_parameter(f"{layer.name}.weight").detach().double().cpu()
    kernel = kernel.T if known_kind(module).weight == ("in", "out") else kernel
    weight, area = kernel.flatten(1).T, kernel[0, 0].numel()  # (d, outputs)
    if len(moment.mean) < len(weight):  # of channels alone, as the layer is wide
        weight, area = kernel.movedim(1, 0).flatten(1), 1  # (d, outputs * area)
    second = moment.second.double()
    if not second.isfinite().all():
        raise ValueError(
            f"criterion 'regression': what layer {layer.name} reads on the calibration data is "
            "not finite; look for the samples or weights that are not"
        )
    if layer.norm is not None or module.bias is not None:
        # The refit may then add a constant, which takes up all means.
        second = second - torch.outer(moment.mean.double(), moment.mean.double())
    tiny = torch.finfo(torch.float32).tiny
    power = (weight * (second @ weight)).sum().clamp_min(tiny)
    channels = torch.tensor(member.indices)  # (units, channels of a unit)
    columns = (channels[:, :, None] * area + torch.arange(area)).flatten(1)
    return Reader(_inverse(second), weight, columns, float(power))


def _inverse(second: Tensor) -> Tensor:
    """Inverse of a moment with the refit's ridge, or the smallest larger one that is enough."""
    ridge = RIDGE * second.diagonal().mean().clamp_min(torch.finfo(torch.float32).tiny)
    failed = 1
    while failed:
        raised = second + ridge * torch.eye(len(second), dtype=second.dtype)
        factor, info = torch.linalg.cholesky_ex(raised)
        failed, ridge = int(info), 10 * ridge
    return torch.cholesky_inverse(factor)
