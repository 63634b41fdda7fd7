"""A masked network of full size, which computes what the cut one does."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import KeptUnits, PruningGraph
from amc.modules import kinds
from amc.refit import Moments, Reconstruction
from amc.surgery.cutting import Channels, cut, staying_channels, within_group


def mask(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    moments: Moments | Reconstruction | None = None,
) -> nn.Module:
    """A copy of full size with the pruned weights at zero; its outputs equal those of `cut`.

    Norms over several channels (layer, group and RMS norms) take their statistics over the channels
    that stay only, as in the cut network, whose norms stand there with the hooks of `OnKept`.
    """
    return enlarge(model, graph, units, cut(model, graph, units, moments))


def enlarge(model: nn.Module, graph: PruningGraph, units: KeptUnits, small: nn.Module) -> nn.Module:
    """A network of full size that computes what `small`, its cut, does."""
    staying, state = staying_channels(graph, units), small.state_dict()
    masked = copy.deepcopy(model)
    for name in {name for name, _ in staying}:
        module = masked.get_submodule(name)
        for key, tensor in kinds.tensors_of(module).items():
            full = torch.zeros_like(tensor) if key != "running_var" else torch.ones_like(tensor)
            full[_region(module, name, key, staying)] = state[f"{name}.{key}"]
            tensor.data.copy_(full)
    for name, tensor in masked.state_dict().items():
        if name in state and state[name].shape == tensor.shape:
            tensor.copy_(state[name])
    for (name, _), kept in staying.items():
        if kinds.known_kind(module := masked.get_submodule(name)).mixes:
            serving = OnKept(kept, kinds.channels(module, "out"))
            norm = copy.deepcopy(small.get_submodule(name))
            masked.set_submodule(name, serving.attach(norm))
    return masked


@dataclass(frozen=True)
class OnKept:
    """Hooks by which a cut norm serves a network of full size: other channels become zero.

    Args:
        kept: Positions of the channels that stay.
        channels: How many there were.
    """

    kept: Tensor
    channels: int

    def attach(self, norm: nn.Module) -> nn.Module:
        """The norm itself, with hooks."""
        norm.register_forward_pre_hook(self.before)
        norm.register_forward_hook(self.after)
        return norm

    def before(self, norm: nn.Module, args: tuple[Tensor, ...]) -> Tensor:
        """The channels that the norm is for."""
        axis = kinds.channel_axis(norm, tuple(args[0].shape))
        return args[0].index_select(axis, self.kept.to(args[0].device))

    def after(self, norm: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """All channels again."""
        axis = kinds.channel_axis(norm, tuple(output.shape))
        shape = [self.channels if at == axis else size for at, size in enumerate(output.shape)]
        full = output.new_zeros(shape)
        return full.index_copy(axis, self.kept.to(output.device), output)


def _region(module: nn.Module, name: str, key: str, staying: Channels) -> tuple[Any, ...]:
    """Index of what stays of one tensor."""
    shape, roles = kinds.tensors_of(module)[key].shape, kinds.roles(module, key)
    index = []
    for axis, side in enumerate(roles):
        kept = staying.get((name, side)) if side else None
        stays = torch.arange(shape[axis]) if kept is None else within_group(kept, shape[axis])
        index.append(stays.reshape([-1 if at == axis else 1 for at in range(len(roles))]))
    return tuple(index)
