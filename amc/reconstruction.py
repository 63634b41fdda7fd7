"""Least-squares refit of a layer that lost inputs, from second moments collected once.

AMC (He et al., 2018, 4.1) follows He et al., "Channel Pruning for Accelerating Very Deep Neural
Networks", ICCV 2017: the layer's weights are solved again so that its output on calibration inputs
matches the original's. With X (samples, d) the input patches of the unpruned layer, d = c * k * k,
and Y = X W + b its output, the solution on the kept columns S needs only the moments of X.

Departures from the papers:
1. The moments are collected once, from the unpruned network, and serve every later refit.
2. Where the layer has a bias, or a batch norm alone reads it, a constant is fit as well, so that
   the mean of what is removed is not lost.
3. A ridge of `RIDGE` times the mean diagonal keeps the solution bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from amc import kinds
from amc.devices import device_of, evaluating
from amc.inputs import tensors
from amc.patches import patches
from amc.samples import Samples
from amc.structure import Layer, PruningGraph, Side

RIDGE = 1e-4
POSITIONS = 10
BATCH = 100


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


@dataclass(frozen=True)
class Moment:
    """First and second moments of a layer's input patches, in float32.

    Args:
        mean: (d,) mean patch.
        second: (d, d) mean of x x'.
    """

    mean: Tensor
    second: Tensor


@dataclass(frozen=True)
class Moments:
    """The moments of every layer that can lose inputs, by its name."""

    by_layer: Mapping[str, Moment]

    @classmethod
    def collect(
        cls,
        model: nn.Module,
        graph: PruningGraph,
        samples: Samples,
        *,
        positions: int = POSITIONS,
        seed: int = 0,
    ) -> Moments:
        """Run the unpruned network over `samples` and keep its layers' input moments.

        Args:
            model: The unpruned network; its mode and weights are left as they are.
            graph: Its graph.
            samples: Calibration inputs, from the training split.
            positions: Random output positions sampled for each input and layer.
            seed: Of those positions.
        """
        sums: dict[str, _Sum] = {}
        generator = torch.Generator().manual_seed(seed)

        def note(name: str) -> Any:
            def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
                rows = patches(module, tensors((args, kwargs))[0], positions, generator)
                sums.setdefault(name, _Sum.of_size(rows.shape[1])).add(rows)

            return hook

        handles = [
            module.register_forward_pre_hook(note(name), with_kwargs=True)
            for name in refittable(graph)
            if _is_plain(module := model.get_submodule(name))
        ]
        device = device_of(model)
        try:
            with torch.inference_mode(), evaluating(model):
                for inputs, _ in samples.batches(BATCH):
                    model(inputs.to(device))
        finally:
            for handle in handles:
                handle.remove()
        return cls({name: total.moment() for name, total in sums.items()})


@dataclass
class _Sum:
    rows: int
    first: Tensor
    second: Tensor

    @classmethod
    def of_size(cls, size: int) -> _Sum:
        return cls(0, torch.zeros(size, dtype=torch.float64), torch.zeros(size, size))

    def add(self, rows: Tensor) -> None:
        self.rows += len(rows)
        self.first += rows.sum(0, dtype=torch.float64).cpu()
        self.second += (rows.T @ rows).cpu()

    def moment(self) -> Moment:
        return Moment((self.first / self.rows).float().clone(), self.second.div(self.rows).clone())


def refittable(graph: PruningGraph) -> list[str]:
    """Layers that a refit may apply to: those that can lose inputs without losing outputs.

    Grouped convolutions are left out: each group would need moments of its own.
    """
    losing = {m.module for group in graph.groups for m in group.members if m.side == "in"}
    weighted = (layer for layer in graph.layers if layer.kind in ("conv", "linear"))
    return [layer.name for layer in weighted if layer.name in losing and layer.groups == 1]


def _is_plain(module: nn.Module) -> bool:
    """Whether an output of the layer is a product of its weight with one patch of its input.

    Not of a transposed convolution, which sums products of several overlapping patches, nor of
    attention, whose weights make three things at once.
    """
    known = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    linear = kinds.known(module) in (kinds.LINEAR, kinds.SWAPPED_LINEAR)
    return isinstance(module, known) or linear


def refit_layers(
    model: nn.Module,
    graph: PruningGraph,
    staying: Mapping[tuple[str, Side], Tensor],
    moments: Moments,
) -> dict[str, Refit]:
    """New weights for every layer that loses inputs.

    Args:
        model: The unpruned network.
        graph: Its graph.
        staying: For each side of a module that shrinks, the positions that stay.
        moments: Of the unpruned network.
    """
    refits = {}
    for name, moment in moments.by_layer.items():
        inputs = staying.get((name, "in"))
        if inputs is not None:
            layer = graph.layers[graph.layer_index[name]]
            swapped = kinds.known(model.get_submodule(name)).weight == ("in", "out")
            weight = model.get_parameter(f"{name}.weight").detach()
            weight = weight.T if swapped else weight
            outputs = staying.get((name, "out"))
            wanted = weight if outputs is None else weight[outputs]
            found = solve(wanted, inputs, moment, _takes_offset(model, layer))
            refits[name] = replace(found, weight=found.weight.T) if swapped else found
    return refits


def solve(weight: Tensor, inputs: Tensor, moment: Moment, with_offset: bool) -> Refit:
    """Least-squares weights on the kept inputs that reproduce the layer's output.

    Args:
        weight: (outputs, inputs, ...) of the unpruned layer.
        inputs: (kept,) positions of the input channels that stay.
        moment: Of the layer's (inputs * area) patches.
        with_offset: Whether a constant may be fit as well.
    """
    outputs, channels = weight.shape[:2]
    area = weight[0, 0].numel()
    columns = (inputs[:, None] * area + torch.arange(area)).flatten()  # (kept * area,)
    mean = moment.mean.double()
    kernel = weight.reshape(outputs, channels * area).T.double().cpu()  # (d, outputs)
    within = moment.second[columns][:, columns].double()
    across = moment.second[columns].double() @ kernel  # X_S' X W
    if with_offset:
        within -= torch.outer(mean[columns], mean[columns])
        across -= torch.outer(mean[columns], mean @ kernel)
    solution = _solve_ridge(within, across)  # (kept * area, outputs)
    offset = torch.zeros(outputs, dtype=torch.float64)
    if with_offset:
        offset = mean @ kernel - mean[columns] @ solution
    shape = (outputs, len(inputs), *weight.shape[2:])
    return Refit(solution.T.reshape(shape).to(weight), offset.to(weight))


def _solve_ridge(within: Tensor, across: Tensor) -> Tensor:
    """(within + ridge) \\ across, by Cholesky; by pseudo-inverse where that breaks down."""
    ridge = RIDGE * within.diagonal().mean().clamp_min(torch.finfo(within.dtype).tiny)
    within = within + ridge * torch.eye(len(within), dtype=within.dtype)
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
