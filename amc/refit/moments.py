"""Moments of what a network's layers read: all that a least-squares refit needs of the data.

They are collected once, from the unpruned network, and serve every later refit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from amc.devices import evaluating, give_back_memory, in_parts
from amc.graph import PruningGraph
from amc.modules import call, kinds, tensors
from amc.refit.sampling import patches
from amc.tasks import Axis, Calibration, batches, calibrating, likely_axis, placed

POSITIONS = 10
BATCH = 100
WIDEST = 4608
"""Input columns that are known each by itself at most: 512 channels of 3 x 3. Of a convolution that
has more, the moments are those of its channels alone, as if a channel that goes could only be made
up for by others in the same place; that takes k * k times fewer columns. What has more channels
than this, as a linear layer that reads a flattened map may, has no moments and is not refit."""


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
        calibration: Calibration,
        *,
        positions: int = POSITIONS,
        seed: int = 0,
    ) -> Moments:
        """Run the unpruned network over calibration data and keep its layers' input moments.

        Places that a task calls padding are left out.

        Where memory runs out, in smaller batches: then at other random positions.

        Args:
            model: The unpruned network; its mode and weights are left as they are.
            graph: Its graph.
            calibration: From the training split.
            positions: Random output positions sampled for each input and layer.
            seed: Of those positions.

        Raises:
            MemoryError: if memory runs out even for one sample at a time.
            ValueError: if the task has no calibration data.
        """
        task, data = calibrating(calibration)
        shared = kinds.shared(model)
        layers = {
            name: module
            for name in refittable(graph)
            if name not in shared  # A new weight would be another layer's too.
            if _is_plain(module := model.get_submodule(name))
            if kinds.channels(module, "in") <= WIDEST
        }

        along = task.axes_of(model, layers)

        def collected(parts: int) -> Moments:
            sums = _Sums(positions, torch.Generator().manual_seed(seed), along)
            with sums.watching(layers), torch.inference_mode(), evaluating(model):
                for batch in batches(data, max(1, BATCH // parts)):
                    sums.real = task.real(batch)
                    call(model, placed(task.inputs(batch), model))
            return cls({name: total.moment() for name, total in sums.by_layer.items()})

        found = in_parts(collected, BATCH, "collecting the moments of calibration samples")
        give_back_memory()  # the unpruned network's maps, in float32 and in patches
        return found


def _narrow(module: nn.Module, rows: Tensor) -> Tensor:
    """(rows, d) patches, or (rows, channels) their middles where d is more than `WIDEST`."""
    if rows.shape[1] <= WIDEST or not isinstance(module, _ConvNd):
        return rows
    patch = rows.reshape(len(rows), module.in_channels, -1)
    return patch[:, :, patch.shape[2] // 2]


class _Sums:
    """Sums over what layers read while they are watched.

    Args:
        positions: As for `Moments.collect`.
        generator: Of them.
        along: Of every layer the axes along which its inputs have their places; None where that
            could not be tried, and sizes have to tell.

    Attributes:
        real: (samples, places) which places of the batch are no padding; None where all are.
    """

    def __init__(
        self,
        positions: int,
        generator: torch.Generator,
        along: Mapping[str, tuple[Axis, ...]] | None,
    ) -> None:
        self._positions, self._generator, self._along = positions, generator, along
        self.real: Tensor | None = None
        self.by_layer: dict[str, _Sum] = {}

    @contextmanager
    def watching(self, layers: Mapping[str, nn.Module]) -> Iterator[None]:
        """Within, every input of these layers is added."""
        handles = [
            module.register_forward_pre_hook(partial(self._note, name), with_kwargs=True)
            for name, module in layers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        inputs = tensors((args, kwargs))[0].float()
        axis = None if self.real is None else self._axis(name, module, inputs)
        rows = patches(module, inputs, self._positions, self._generator, self.real, axis)
        rows = _narrow(module, rows)
        self.by_layer.setdefault(name, _Sum.of_size(rows.shape[1])).add(rows)

    def _axis(self, name: str, module: nn.Module, inputs: Tensor) -> Axis:
        if self._along is not None:
            return next(iter(self._along.get(name, ())), None)
        assert self.real is not None
        places = (
            range(2, inputs.dim()) if isinstance(module, _ConvNd) else range(1, inputs.dim() - 1)
        )
        return likely_axis(self.real, inputs.shape, places)


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
    weighted = (x for x in graph.layers if x.kind in ("conv", "linear") and not x.computed)
    return [layer.name for layer in weighted if layer.name in losing and layer.groups == 1]


def _is_plain(module: nn.Module) -> bool:
    """Whether an output of the layer is a product of its weight with one patch of its input.

    Not of a transposed convolution, which sums products of several overlapping patches, nor of
    attention, whose weights make three things at once.
    """
    known = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    linear = kinds.known_kind(module) in (kinds.LINEAR, kinds.SWAPPED_LINEAR)
    return isinstance(module, known) or linear
