"""A masked network of full size, which computes what the cut one does."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from amc.graph import KeptUnits, PruningGraph
from amc.modules import copied, duplicate, forget_cached, kinds, unwrapped, without_nested_tensors
from amc.refit import Moments, Reconstruction
from amc.surgery.branches import Depth, silence
from amc.surgery.cutting import (
    cut_units,
    kept_along,
    like,
    put,
    share_plain,
    shareable,
    staying_channels,
    staying_places,
    tensor_of,
)
from amc.surgery.serving import OnKept, OnStaying, staying_over


def mask(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    moments: Moments | Reconstruction | None = None,
) -> nn.Module:
    """A copy of full size with the pruned weights at zero; its outputs equal those of `cut`.

    Norms over several channels (layer, group and RMS norms) take their statistics over the channels
    that stay only, as in the cut network, whose norms stand there with the hooks of `OnKept`; so do
    operations over channels in the network's own code (`OnStaying`).
    """
    model, depth = unwrapped(model), Depth.of(graph, units)
    return enlarge(model, graph, depth, cut_units(model, graph, depth, moments))


def enlarge(
    model: nn.Module,
    graph: PruningGraph,
    depth: Depth,
    small: nn.Module,
    *,
    sharing: bool = False,
) -> nn.Module:
    """A network of full size that computes what its cut does.

    Args:
        model: Left as it is.
        graph: Its groups.
        depth: What goes wholly, and what stays of the rest.
        small: The network that `cut_units` made.
        sharing: Take what does not change from `model` itself, as `cut` does.
    """
    units = depth.units
    staying, places = staying_channels(graph, units), staying_places(model, graph, units)
    names = dict.fromkeys((*(name for name, _ in staying), *depth.readers))
    memo = shareable(model, graph, {*names, *depth.touched}) if sharing else {}
    for name in names:
        module, own = model.get_submodule(name), kinds.tensors_of(small.get_submodule(name))
        for key, tensor in kinds.tensors_of(module).items():
            full = _background(module, key, tensor)
            lengths = kinds.weight_norm_of(module)
            if lengths is not None and key == lengths.directions and lengths.axis == 0:
                _point(full, staying.get((name, kinds.known_kind(module).weight[0] or "out")))
            put(full, kept_along(tensor, kinds.roles(module, key), name, staying), own[key])
            memo[id(tensor)] = like(tensor, full)
    for name, axes in places.items():
        tensor = tensor_of(model, name)
        # A number for each channel stays: under a logarithm a zero would be none any more, and
        # whatever reads the channel does not.
        alone = tensor.numel() == tensor.shape[next(iter(axes))]
        full = tensor.detach().clone() if alone else torch.zeros_like(tensor)
        put(full, axes, tensor_of(small, name).detach())
        memo[id(tensor)] = like(tensor, full)
    if sharing:
        share_plain(model, names, memo)
    masked = forget_cached(copied(model, memo)) if sharing else duplicate(model, memo)
    if not sharing:  # A refit changes tensors that keep their shape.
        state = small.state_dict()
        for name, tensor in masked.state_dict().items():
            if name in state and state[name].shape == tensor.shape:
                tensor.copy_(state[name])
    without_nested_tensors(masked)
    for (name, _), kept in staying.items():
        if kinds.known_kind(module := masked.get_submodule(name)).mixes:
            serving = OnKept(kept, kinds.channels(module, "out"))
            norm = copy.deepcopy(small.get_submodule(name))
            masked.set_submodule(name, serving.attach(norm))
    silence(masked, depth.branches)
    over = staying_over(graph, units)
    return OnStaying(over).attach(masked) if over else masked


def _background(module: nn.Module, key: str, tensor: Tensor) -> Tensor:
    """What stands where a channel is gone."""
    if kinds.known_kind(module).declared:
        return tensor.detach().clone()  # by which code of one's own may divide
    return torch.ones_like(tensor) if key == "running_var" else torch.zeros_like(tensor)


def _point(directions: Tensor, kept: Tensor | None) -> None:
    """In place: of what goes some direction, because none has no length to be divided by."""
    if kept is not None:
        gone = torch.ones(len(directions), dtype=torch.bool, device=directions.device)
        gone[kept] = False
        directions[gone] = 1
