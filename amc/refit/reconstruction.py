"""Least-squares refit of a layer that lost inputs, from second moments collected once.

AMC (He et al., 2018, 4.1) follows He et al., "Channel Pruning for Accelerating Very Deep Neural
Networks", ICCV 2017: the layer's weights are solved again so that its output on calibration inputs
matches the original's. With X (samples, d) the input patches of the unpruned layer, d = c * k * k,
and Y = X W + b its output, the solution on the kept columns S needs only the moments of X.

Departures from the papers:
1. The moments are collected once, from the unpruned network, and serve every later refit.
2. Where the layer has a bias, or a batch norm alone reads it, a constant is fit as well, so that
   the mean of what is removed is not lost.
3. A ridge of `RIDGE` times the mean diagonal of all columns keeps the solution bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from amc.devices import on_all_cores
from amc.graph import Group, Layer, PruningGraph, Side
from amc.modules import kinds
from amc.refit.moments import Moment, Moments

RIDGE = 1e-4
DIRECT = 2304
"""Input columns that a refit solves for at most. Where there are up to twice as many, it solves for
those that stay or for those that go, whichever are fewer."""


@dataclass(frozen=True)
class Refit:
    """New weights of one layer.

    Args:
        weight: (kept outputs, kept inputs, ...) in place of the layer's own; as the layer has it,
            where that is (inputs, outputs).
        offset: (kept outputs,) to be added to its output; zeros where no constant is fit.
    """

    weight: Tensor
    offset: Tensor

    def to(self, like: Tensor) -> Refit:
        """Of the type and on the device of another tensor."""
        return Refit(self.weight.to(like), self.offset.to(like))


@dataclass(frozen=True)
class Equations:
    """Normal equations of one layer's refit, of which every solve takes a part.

    Args:
        moment: Of the layer's input patches, or of its input channels where those are too many.
        across: (d, outputs, areas) X' X W in float64, centred where a constant is fit; areas is 1,
            or the kernel's area where the moment is of channels.
        target: (outputs, areas) mean of X W in float64.
        ridge: Added to the diagonal.
        shape: Of the layer's weight as (outputs, inputs, ...).
        like: Of the type and on the device that the weights shall have.
        with_offset: Whether a constant may be fit as well.
        swapped: Whether the layer has its weight as (inputs, outputs).
    """

    moment: Moment
    across: Tensor
    target: Tensor
    ridge: float
    shape: tuple[int, ...]
    like: Tensor
    with_offset: bool
    swapped: bool = False

    @classmethod
    def of(
        cls, weight: Tensor, moment: Moment, with_offset: bool, swapped: bool = False
    ) -> Equations:
        """Multiply the moments with the unpruned layer's weight, (outputs, inputs, ...)."""
        outputs, channels = weight.shape[:2]
        kernel = weight.detach().reshape(outputs, channels, -1).double().cpu()
        by_channel = len(moment.mean) == channels
        kernel = kernel.movedim(0, 1 if by_channel else 2)  # (inputs, outputs, area) or
        kernel = kernel if by_channel else kernel.flatten(0, 1)[..., None]  # (d, outputs, 1)
        mean, flat = moment.mean.double(), kernel.flatten(1)
        across, target = moment.second.double() @ flat, mean @ flat
        diagonal = moment.second.diagonal().double()
        if with_offset:
            across -= torch.outer(mean, target)
            diagonal = diagonal - mean.square()
        tiny = torch.finfo(torch.float64).tiny
        sizes = kernel.shape[1:]
        return cls(
            moment,
            across.reshape(-1, *sizes),
            target.reshape(sizes),
            RIDGE * float(diagonal.mean().clamp_min(tiny)),
            tuple(weight.shape),
            weight.detach(),
            with_offset,
            swapped,
        )

    def solve(self, inputs: Tensor, outputs: Tensor | None = None) -> Refit:
        """Least-squares weights on the kept inputs that reproduce the layer's kept outputs.

        In float64, on the processor.

        Args:
            inputs: (kept,) positions of the input channels that stay.
            outputs: (kept outputs,) positions of the output channels that stay; None: all.
        """
        outputs = torch.arange(self.shape[0]) if outputs is None else outputs
        if not len(inputs):
            return self._constant(outputs)
        area = len(self.moment.mean) // self.shape[1]
        columns = (inputs[:, None] * area + torch.arange(area)).flatten()  # (kept * area,)
        wide = len(self.moment.mean) > DIRECT and 2 * len(columns) > len(self.moment.mean)
        found = self._without if wide else self._directly
        solution = found(columns, outputs)  # (kept * area, outputs * areas)
        target = self.target.index_select(0, outputs)
        offset = torch.zeros_like(target[:, 0])
        if self.with_offset:
            mean = self.moment.mean[columns].double()
            offset = (target - (mean @ solution).view_as(target)).sum(1)
        weight = self._as_weight(solution, len(inputs), len(outputs))
        return Refit(weight, offset)

    def unexplained(self, units: Tensor) -> Tensor:
        """(units + 1,) share of the output's power that a refit to the first so many units misses.

        One factorisation tells all counts: in the Cholesky factor of the inputs' moment each column
        holds what its input adds to all before it.

        Args:
            units: (units, channels of a unit) positions of the input channels of each unit, that
                which stays longest first; all other channels stay.
        """
        area = len(self.moment.mean) // self.shape[1]
        own = (units.flatten()[:, None] * area + torch.arange(area)).flatten()
        others = torch.ones(len(self.moment.mean), dtype=torch.bool)
        others[own] = False
        order = torch.cat([others.nonzero().flatten(), own])
        factor, failed = torch.linalg.cholesky_ex(self._within(order))
        if int(failed):
            return torch.linspace(1, 0, len(units) + 1, dtype=torch.float64)
        explained = torch.linalg.solve_triangular(
            factor, self.across.index_select(0, order).flatten(1), upper=False
        )
        power = explained.square().sum(1)  # that each input adds
        added = power[len(order) - len(own) :].view(len(units), -1).sum(1)
        missed = torch.cat([added.flip(0).cumsum(0).flip(0), added.new_zeros(1)])
        share: Tensor = missed / power.sum().clamp_min(torch.finfo(torch.float64).tiny)
        return share

    def _constant(self, outputs: Tensor) -> Refit:
        """What is left of a layer that reads nothing: the mean of its output."""
        mean = self.target.index_select(0, outputs).sum(1)
        weight = torch.zeros((0, len(outputs)) if self.swapped else (len(outputs), 0))
        return Refit(weight, mean if self.with_offset else torch.zeros_like(mean))

    def _directly(self, columns: Tensor, outputs: Tensor) -> Tensor:
        across = self.across.index_select(0, columns).index_select(1, outputs).flatten(1)
        return _solve(self._within(columns), across)

    def _without(self, columns: Tensor, outputs: Tensor) -> Tensor:
        """The same by what the columns that go change in the solution on all of them.

        Cheaper where few go: with P the inverse of all equations and B their solution, it is
        B_S - P_SR P_RR^-1 B_R, for the columns S that stay and R that go.
        """
        inverse, full = self._whole
        stays = torch.zeros(len(inverse), dtype=torch.bool)
        stays[columns] = True
        gone = (~stays).nonzero().flatten()
        across = inverse.index_select(0, gone)
        full = full.index_select(1, outputs).flatten(1)
        step = _solve(across.index_select(1, gone), full.index_select(0, gone))
        return full.index_select(0, columns) - across.index_select(1, columns).T @ step

    @cached_property
    def _whole(self) -> tuple[Tensor, Tensor]:
        """(d, d) inverse of the equations, and (d, outputs, areas) their solution."""
        within = self._within(torch.arange(len(self.moment.mean)))
        factor, failed = torch.linalg.cholesky_ex(within)
        if int(failed):
            inverse = torch.linalg.pinv(within, hermitian=True)
        else:
            inverse = torch.cholesky_inverse(factor)
        return inverse, (inverse @ self.across.flatten(1)).view_as(self.across)

    def _within(self, columns: Tensor) -> Tensor:
        """X_S' X_S with its ridge, centred where a constant is fit."""
        within = self.moment.second.index_select(0, columns).index_select(1, columns).double()
        if self.with_offset:
            mean = self.moment.mean[columns].double()
            within.addr_(mean, mean, alpha=-1)
        within.diagonal().add_(self.ridge)
        return within

    def _as_weight(self, solution: Tensor, inputs: int, outputs: int) -> Tensor:
        """In the layer's own shape, with so many inputs and outputs."""
        by_channel = solution.reshape(inputs, outputs, -1).movedim(0, 1)
        weight = by_channel if len(self.moment.mean) == self.shape[1] else solution.T
        weight = weight.reshape(outputs, inputs, *self.shape[2:])
        return weight.T if self.swapped else weight


@dataclass(frozen=True)
class Reconstruction:
    """The equations of every layer that can lose inputs, by its name: for many refits."""

    by_layer: Mapping[str, Equations]

    @classmethod
    def of(cls, model: nn.Module, graph: PruningGraph, moments: Moments) -> Reconstruction:
        """Multiply the moments of the unpruned network with its weights."""
        return cls({name: _equations(model, graph, name, moments) for name in moments.by_layer})

    def refits(self, staying: Mapping[tuple[str, Side], Tensor]) -> dict[str, Refit]:
        """New weights for every layer that loses inputs.

        Args:
            staying: For each side of a module that shrinks, the positions that stay.
        """
        losing = [name for name in self.by_layer if (name, "in") in staying]
        # The longest first, so that no core waits for one that began last.
        losing.sort(key=lambda name: -len(self.by_layer[name].across))

        def solved(name: str) -> Refit:
            inputs, outputs = staying[name, "in"], staying.get((name, "out"))
            return self.by_layer[name].solve(inputs, outputs)

        # A GPU is left to this thread: others take milliseconds to find it.
        found = zip(losing, on_all_cores(solved, losing, lasting=True), strict=True)
        return {name: refit.to(self.by_layer[name].like) for name, refit in found}


def unexplained(
    graph: PruningGraph, ranking: Sequence[Tensor], known: Reconstruction
) -> list[Tensor | None]:
    """What refits to each count of a group's units miss, which nothing has to be evaluated for.

    (units + 1,) of each group, by the units that are kept: the share of their outputs' power that
    the layers miss that read it, summed over these layers, while all else is whole. None of a group
    that no layer reads that can be refit.

    Args:
        graph: The network's.
        ranking: (units,) scores of each group; the best stay.
        known: The equations of its layers.
    """

    def curve(group: Group, scores: Tensor) -> Tensor | None:
        order = scores.argsort(descending=True, stable=True).cpu()
        readers = [
            known.by_layer[member.module].unexplained(torch.tensor(member.indices)[order])
            for member in group.members
            if member.side == "in" and member.module in known.by_layer
        ]
        return torch.stack(readers).sum(0) if readers else None

    return [curve(group, scores) for group, scores in zip(graph.groups, ranking, strict=True)]


def refit_layers(
    model: nn.Module,
    graph: PruningGraph,
    staying: Mapping[tuple[str, Side], Tensor],
    known: Moments | Reconstruction,
) -> dict[str, Refit]:
    """New weights for every layer that loses inputs.

    Args:
        model: The unpruned network.
        graph: Its graph.
        staying: For each side of a module that shrinks, the positions that stay.
        known: Of the unpruned network; moments for one refit, a reconstruction for many.
    """
    if isinstance(known, Moments):
        losing = {name: own for name, own in known.by_layer.items() if (name, "in") in staying}
        known = Reconstruction.of(model, graph, Moments(losing))
    return known.refits(staying)


def _equations(model: nn.Module, graph: PruningGraph, name: str, moments: Moments) -> Equations:
    swapped = kinds.known_kind(model.get_submodule(name)).weight == ("in", "out")
    weight = kinds.weight_of(model.get_submodule(name))
    layer = graph.layers[graph.layer_index[name]]
    offset = _takes_offset(model, layer)
    return Equations.of(weight.T if swapped else weight, moments.by_layer[name], offset, swapped)


def _solve(within: Tensor, across: Tensor) -> Tensor:
    """within \\ across, by Cholesky; by pseudo-inverse where that breaks down."""
    factor, failed = torch.linalg.cholesky_ex(within)
    if int(failed):
        inverse: Tensor = torch.linalg.pinv(within, hermitian=True)
        return inverse @ across
    return torch.cholesky_solve(across, factor)


def _takes_offset(model: nn.Module, layer: Layer) -> bool:
    if model.get_submodule(layer.name).bias is not None:
        return True
    norm = None if layer.norm is None else model.get_submodule(layer.norm)
    return norm is not None and isinstance(norm.running_mean, Tensor)
