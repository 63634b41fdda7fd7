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
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amc.devices import device_of, evaluating
from amc.samples import Samples
from amc.structure import Layer, PruningGraph, Side

RIDGE = 1e-4
POSITIONS = 10
BATCH = 100


@dataclass(frozen=True)
class Refit:
    """New weights of one layer.

    Args:
        weight: (kept outputs, kept inputs, ...) in place of the layer's own.
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
            def hook(module: nn.Module, args: tuple[Tensor, ...]) -> None:
                rows = _patches(module, args[0], positions, generator)
                sums.setdefault(name, _Sum.of_size(rows.shape[1])).add(rows)

            return hook

        handles = [
            model.get_submodule(name).register_forward_pre_hook(note(name))
            for name in refittable(graph)
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
    """Layers that a refit applies to: those that can lose inputs without losing outputs."""
    losing = {m.module for group in graph.groups for m in group.members if m.side == "in"}
    return [x.name for x in graph.layers if x.name in losing and x.kind != "norm" and x.groups == 1]


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
            weight = model.get_parameter(f"{name}.weight").detach()
            outputs = staying.get((name, "out"))
            wanted = weight if outputs is None else weight[outputs]
            refits[name] = solve(wanted, inputs, moment, _takes_offset(model, layer))
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


def _patches(
    module: nn.Module, inputs: Tensor, positions: int, generator: torch.Generator
) -> Tensor:
    """(rows, d) input patches of `module` at random output positions of each sample."""
    if isinstance(module, nn.Linear):
        return _rows(inputs, positions, generator)
    assert isinstance(module, nn.Conv2d)
    padded = _padded(module, inputs)
    (kernel_h, kernel_w), (step_h, step_w) = module.kernel_size, module.stride
    dilate_h, dilate_w = module.dilation
    height = (padded.shape[2] - dilate_h * (kernel_h - 1) - 1) // step_h + 1
    width = (padded.shape[3] - dilate_w * (kernel_w - 1) - 1) // step_w + 1
    shape = (len(inputs), positions, 1)
    top = torch.randint(height, shape, generator=generator) * step_h
    left = torch.randint(width, shape, generator=generator) * step_w
    rows = top + dilate_h * torch.arange(kernel_h)  # (samples, positions, kernel_h)
    columns = left + dilate_w * torch.arange(kernel_w)  # (samples, positions, kernel_w)
    sample = torch.arange(len(inputs))[:, None, None, None]
    patches = padded[sample, :, rows[..., None], columns[:, :, None]]
    # (samples, positions, kernel_h, kernel_w, channels) -> (rows, channels * kernel_h * kernel_w)
    return patches.permute(0, 1, 4, 2, 3).flatten(2).flatten(0, 1)


def _rows(inputs: Tensor, positions: int, generator: torch.Generator) -> Tensor:
    """(rows, features): every sample's features, at random positions where it has several."""
    if inputs.dim() == 2:
        return inputs
    flat = inputs.flatten(1, -2)  # (samples, places, features)
    chosen = torch.randint(flat.shape[1], (len(flat), positions), generator=generator)
    return flat[torch.arange(len(flat))[:, None], chosen].flatten(0, 1)


def _padded(module: nn.Conv2d, inputs: Tensor) -> Tensor:
    around = module._reversed_padding_repeated_twice
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return F.pad(inputs, around, mode=mode) if any(around) else inputs
