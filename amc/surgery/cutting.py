"""Cutting a network: a new, really smaller one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.devices import one_thread
from amc.graph import SIDES, Group, KeptUnits, Part, PruningGraph, Side
from amc.modules import (
    ClampedConv2d,
    copied,
    duplicate,
    forget_cached,
    kinds,
    narrow_attention,
    recurrent,
    set_number,
    unwrapped,
    without_nested_tensors,
)
from amc.refit import Moments, Reconstruction, Refit, refit_layers
from amc.surgery.branches import Depth, without_branches

Channels = dict[tuple[str, Side], Tensor]
"""For each side of a module that shrinks, the positions that stay, ascending."""


def cut(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    moments: Moments | Reconstruction | None = None,
    *,
    sharing: bool = False,
) -> nn.Module:
    """A copy that has only the kept units.

    Args:
        model: Left as it is.
        graph: Its groups.
        units: That stay of each group.
        moments: What layers that lose inputs are refit from, to the original's outputs; None
            selects weights only.
        sharing: Take what does not change from `model` itself, which is quick: for a forward pass,
            and nothing else.
    """
    depth = Depth.of(graph, units)
    narrowed = cut_units(model, graph, depth, moments, sharing=sharing)
    return without_branches(narrowed, depth.branches)


def cut_units(
    model: nn.Module,
    graph: PruningGraph,
    depth: Depth,
    moments: Moments | Reconstruction | None = None,
    *,
    sharing: bool = False,
) -> nn.Module:
    """The same, in which branches that go are still there, whole.

    Args:
        model: Left as it is.
        graph: Its groups.
        depth: What goes wholly, and what stays of the rest.
        moments: As for `cut`; they change the bias of what reads a branch's groups.
        sharing: As for `cut`.
    """
    model, units = unwrapped(model), depth.units
    staying, places = staying_channels(graph, units), staying_places(model, graph, units)
    refits = _refits(model, graph, depth, staying, moments)
    with one_thread():
        changed = {
            name: _slice(model.get_submodule(name), name, staying, refits.get(name), depth)
            for name in dict.fromkeys((*(name for name, _ in staying), *depth.readers))
        }
        _shift_offsets(changed, model, graph, refits)
        memo = shareable(model, graph, {*changed, *depth.touched}) if sharing else {}
        for name, tensors in changed.items():
            _replace(memo, model.get_submodule(name), tensors)
        if sharing:
            share_plain(model, changed, memo)
        for name, kept in places.items():
            old = tensor_of(model, name)
            memo[id(old)] = like(old, select(old.detach(), kept))
        # What shares was copied once already, and every candidate of a search comes by here.
        whole = not sharing
        smaller = duplicate(model, memo) if whole else forget_cached(copied(model, memo))
        _resize(smaller, staying)
        for name in {name.rpartition(".")[0] for name in places}:
            if recurrent.is_recurrent(module := smaller.get_submodule(name)):
                recurrent.resize(module)
        _set_attributes(smaller, graph, units)
        return smaller


def _refits(
    model: nn.Module,
    graph: PruningGraph,
    depth: Depth,
    staying: Channels,
    moments: Moments | Reconstruction | None,
) -> dict[str, Refit]:
    if moments is None:
        return {}
    none = torch.zeros(0, dtype=torch.long)
    nothing: Channels = {(name, "in"): none for name in depth.readers}
    return refit_layers(model, graph, {**staying, **nothing}, moments)


def shareable(model: nn.Module, graph: PruningGraph, changed: Iterable[str]) -> dict[int, Any]:
    """What deepcopy is to leave as it is: modules in which nothing is cut, and tables of no hooks.

    Such tables make up most of a module's copy.
    """
    names = set(changed) | {item.module for group in graph.groups for item in group.attributes}
    slices = (part.tensor for group in graph.groups for part in group.slices)
    names |= {name.rpartition(".")[0] for name in slices}
    inner = {id(model.get_submodule(name)) for name in names}
    inner |= {id(part) for name in changed for part in model.get_submodule(name).modules()}
    memo: dict[int, Any] = {}

    def visit(module: nn.Module) -> bool:
        found = [visit(child) for child in module.children()]
        if id(module) not in inner and not any(found):
            memo[id(module)] = module
        else:
            hooks = (vars(module)[key] for key in kinds.HOOKS)
            memo.update((id(table), table) for table in hooks if not table)
        return id(module) not in memo

    visit(model)
    return memo


Parts = Iterable[tuple[Part, int]]
"""Of a group, things in which its units have places, each with its size."""


def staying(
    graph: PruningGraph, units: KeptUnits, parts: Callable[[Group], Parts]
) -> dict[tuple[Any, ...], Tensor]:
    """For each thing that loses places, by what these are places of: those that stay, ascending.

    Args:
        graph: The network.
        units: That stay of each group.
        parts: Those of a group to look at.
    """
    stays: dict[tuple[Any, ...], NDArray[np.bool_]] = {}
    for group, kept in zip(graph.groups, units, strict=True):
        if len(kept) == group.units:
            continue
        leaving = np.ones(group.units, bool)
        leaving[list(kept)] = False
        for part, size in parts(group):
            here = stays.setdefault(part.where, np.ones(size, bool))
            here[part.places[leaving]] = False
    return {where: torch.from_numpy(np.flatnonzero(here)) for where, here in stays.items()}


def staying_channels(graph: PruningGraph, units: KeptUnits) -> Channels:
    """Positions that stay on each side of each module that loses some."""

    def members(group: Group) -> Parts:
        for member in group.members:
            layer = graph.layers[graph.layer_index[member.module]]
            yield member, layer.outputs if member.side == "out" else layer.inputs

    return {(name, side): kept for (name, side), kept in staying(graph, units, members).items()}


Places = dict[str, dict[int, Tensor]]
"""For each tensor of no known module that shrinks, the places that stay along some axes."""


def staying_places(model: nn.Module, graph: PruningGraph, units: KeptUnits) -> Places:
    """Places that stay along each axis of each loose tensor that loses some."""

    def slices(group: Group) -> Parts:
        for part in group.slices:
            yield part, tensor_of(model, part.tensor).shape[part.axis]

    found: Places = {}
    for (name, axis), kept in staying(graph, units, slices).items():
        found.setdefault(name, {})[axis] = kept
    return found


def tensor_of(model: nn.Module, name: str) -> Tensor:
    """A parameter or buffer by its dotted name."""
    owner, _, own = name.rpartition(".")
    found: Tensor = getattr(model.get_submodule(owner), own)
    return found


def select(tensor: Tensor, kept: Mapping[int, Tensor]) -> Tensor:
    """What stays of a tensor where some axes have only these places: a copy."""
    first = {axis: len(places) for axis, places in kept.items() if int(places[-1]) < len(places)}
    for axis, places in kept.items():
        if axis not in first:
            tensor = tensor.index_select(axis, places.to(tensor.device))
    for axis, count in first.items():
        tensor = tensor.narrow(axis, 0, count)  # which moves nothing
    return tensor.clone() if first or not kept else tensor


def put(full: Tensor, kept: Mapping[int, Tensor], own: Tensor) -> None:
    """In place: the same at its places; zeros at all others but those that the first axis lacks."""
    if not kept:
        full.copy_(own)
        return
    first, *others = kept.items()
    for axis, places in others:
        shape = [*own.shape]
        shape[axis] = full.shape[axis]
        own = own.new_zeros(shape).index_copy_(axis, places.to(own.device), own)
    full.index_copy_(first[0], first[1].to(full.device), own.to(full))


def _slice(
    module: nn.Module, name: str, staying: Channels, refit: Refit | None, depth: Depth
) -> dict[str, Tensor]:
    sliced = {}
    if name in depth.readers:
        refit = None  # of which the constant alone stays
    for key, tensor in kinds.tensors_of(module).items():
        if key == "weight" and refit is not None:
            sliced[key] = refit.weight
            continue
        sliced[key] = _select(tensor.detach(), kinds.roles(module, key), name, staying)
    if norm := kinds.weight_norm_of(module):
        # What is left of the weight stays as it is, so that its lengths become others.
        whole, roles = kinds.weight_of(module).detach(), kinds.known_kind(module).weight
        weight = _select(whole, roles, name, staying) if refit is None else refit.weight
        others = tuple(axis for axis in range(weight.dim()) if axis != norm.axis)
        sliced[norm.directions] = weight
        sliced[norm.lengths] = weight.pow(2).sum(others, keepdim=True).sqrt()
    return sliced


def _select(tensor: Tensor, roles: kinds.Roles, name: str, staying: Channels) -> Tensor:
    """What stays of a tensor of this module, on the sides that lie along its axes."""
    return select(tensor, kept_along(tensor, roles, name, staying))


def kept_along(
    tensor: Tensor, roles: kinds.Roles, name: str, staying: Channels
) -> dict[int, Tensor]:
    """The places that stay along the axes of a tensor of this module, of those that lose some."""
    return {
        axis: within_group(staying[name, side], tensor.shape[axis])
        for axis, side in enumerate(roles)
        if side is not None and (name, side) in staying
    }


def within_group(kept: Tensor, size: int) -> Tensor:
    """The second axis of a grouped convolution has the channels of one group: all lose the same."""
    return kept if int(kept[-1]) < size else kept[kept < size]


def _replace(memo: dict[int, Any], module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Tell deepcopy to put these in place of the module's own, which are then never copied."""
    for key, tensor in tensors.items():
        old = attrgetter(key)(module)
        memo[id(old)] = like(old, tensor)


def like(old: Tensor, new: Tensor) -> Tensor:
    """A parameter where the old one is."""
    plain = new.contiguous()
    return nn.Parameter(plain, old.requires_grad) if isinstance(old, nn.Parameter) else plain


def _is_plain(module: nn.Module) -> bool:
    """Whether the forward pass reads nothing but the module's own tensors and numbers."""
    return isinstance(module, ClampedConv2d) or kinds.as_it_came(module)


def share_plain(model: nn.Module, names: Iterable[str], memo: dict[int, Any]) -> None:
    """Tell deepcopy how plain modules are copied: tensors are from `memo`, all else is shared."""
    for module in map(model.get_submodule, names):
        if _is_plain(module):
            new = copy.copy(module)
            for table in ("_parameters", "_buffers"):
                old = vars(module)[table]
                vars(new)[table] = {key: memo.get(id(own), own) for key, own in old.items()}
            memo[id(module)] = new


def _resize(model: nn.Module, staying: Channels) -> None:
    """Make the modules' own numbers agree with their tensors."""
    narrowed = False
    for name in {name for name, _ in staying}:
        module = model.get_submodule(name)
        if isinstance(module, nn.MultiheadAttention):
            narrow_attention(module)
            narrowed = True
            continue
        # Inputs first: with a half of its outputs, a depthwise convolution that makes two of each
        # input would look like one that makes one.
        for side in reversed(SIDES):
            if (name, side) in staying:
                kinds.keep_channels(module, side, staying[name, side])
    if narrowed:
        without_nested_tensors(model)


def _set_attributes(model: nn.Module, graph: PruningGraph, units: KeptUnits) -> None:
    """Change the numbers that the modules' own code reads."""
    for group, staying in zip(graph.groups, units, strict=True):
        for item in group.attributes:
            set_number(model.get_submodule(item.module), item.name, item.per_unit * len(staying))


def _shift_offsets(
    changed: dict[str, dict[str, Tensor]],
    model: nn.Module,
    graph: PruningGraph,
    refits: Mapping[str, Refit],
) -> None:
    """Put the constant that a refit adds into the layer's bias, or into the norm that reads it."""
    for name, refit in refits.items():
        layer = graph.layers[graph.layer_index[name]]
        if isinstance(model.get_submodule(name).bias, Tensor):
            changed[name]["bias"] = changed[name]["bias"] + refit.offset
        elif layer.norm is not None:
            mean = model.get_submodule(layer.norm).running_mean
            if isinstance(mean, Tensor):
                own = changed.setdefault(layer.norm, {})
                own["running_mean"] = own.get("running_mean", mean) - refit.offset
