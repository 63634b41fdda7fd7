"""Granularities finer than a channel: units of one layer's weights, held at zero by masks.

The decision units are the weighted layers, each alone: no shape changes, so nothing is coupled.
A mask is a parametrization of torch (`torch.nn.utils.parametrize`), so that pruned weights stay
zero through any training loop, copies and state dicts; `bake` turns it into plain zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from amc.granularity import Granularity, part
from amc.graph import Fixed, Group, Layer, PruningGraph
from amc.modules import duplicate, kinds


class Mask(nn.Module):
    """Holds weights at zero where `kept` is false; a parametrization of one weight.

    Args:
        kept: Boolean, of the weight's shape.
    """

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its pruned entries at zero."""
        return weight * self.kept


def masking_graph(graph: PruningGraph, granularity: Granularity) -> PruningGraph:
    """The decisions of a granularity that only masks: one group for each weighted layer.

    Args:
        graph: Its layers (`amc.tracing.survey`), with those to leave whole as its `fixed`.
        granularity: One that masks.

    Raises:
        ValueError: if no layer can be masked so.
    """
    groups: list[Group] = []
    fixed: list[Fixed] = []
    whole = {item.name: item.reason for item in graph.fixed}
    for layer in graph.layers:
        if layer.kind == "norm":
            continue
        reason = whole.get(layer.name) or _obstacle(layer, granularity)
        if reason:
            fixed.append(Fixed(layer.name, reason))
        else:
            each = _unit_weights(layer, granularity)
            groups.append(Group(layer.name, layer.weights // each, (), (layer.name,), each))
    if not groups:
        why = "; ".join(f"{item.name}: {item.reason}" for item in fixed) or "no layers"
        raise ValueError(f"the network has nothing to prune at granularity {granularity} ({why})")
    others = [item for item in graph.fixed if item.name not in graph.layer_index]
    return replace(graph, groups=tuple(groups), fixed=(*fixed, *others), granularity=granularity)


def mixed_graph(
    channels: PruningGraph,
    masked: Sequence[Group],
    unit: Granularity,
    whole: Sequence[Fixed] = (),
) -> PruningGraph:
    """The decisions of a granularity that has both: those about channels, then those that mask.

    Args:
        channels: The first (`amc.tracing.trace`).
        masked: The others, of `masking_graph` or of a graph that this returned; those of layers
            that are not in the graph are left out.
        unit: The granularity.
        whole: Layers whose weights all stay, with the reasons.
    """
    groups = [replace(one, name=f"{one.layers[0]}.weight") for one in masked]
    there = [one for one in groups if one.layers[0] in channels.layer_index]
    known = {one.name for one in channels.fixed}
    more = (Fixed(f"{one.name}.weight", one.reason) for one in whole if one.name not in known)
    return replace(
        channels,
        groups=(*channels.groups, *there),
        fixed=(*channels.fixed, *more),
        granularity=unit,
    )


def _unit_weights(layer: Layer, granularity: Granularity) -> int:
    if granularity.name == "n:m":
        return layer.weights // granularity.m
    if granularity.name == "kernel":
        return prod(layer.kernel)
    return layer.kernel[-1] if granularity.name == "vector" and layer.kernel else 1


def _obstacle(layer: Layer, granularity: Granularity) -> str:
    """Why a layer's weights cannot be parted so; empty where they can."""
    if layer.kind == "embedding":
        return "an embedding is looked up and not multiplied"
    reads = layer.inputs // layer.groups
    if granularity.m and reads % granularity.m:
        return f"each filter reads {reads} inputs, which do not divide into {granularity.m}"
    return ""


def input_axis(module: nn.Module) -> int:
    """The axis of a layer's weight along which its inputs lie."""
    return kinds.known_kind(module).weight.index("in")


def unit_order(saliency: Tensor, granularity: Granularity, axis: int = 1) -> Tensor:
    """Rank of each weight's unit in its layer, of the weight's shape: 0 is the last to go.

    The mask that keeps k units is `unit_order(...) < k`. Of an n:m pattern the rank is that within
    the weight's own m consecutive inputs.

    Args:
        saliency: Score of each weight, 0 or more, in the weight's shape; additive.
        granularity: One that masks.
        axis: Of the inputs; patterns run along it, and a last block may have fewer.
    """
    if granularity.m:
        inputs = saliency.shape[axis]
        ranks = _rank(_blocks(saliency, granularity.m, axis)).flatten(-2)[..., :inputs]
        return ranks.movedim(-1, axis)
    units = _unit_axes(saliency.dim(), granularity)
    sums = saliency.flatten(units).sum(-1) if units < saliency.dim() else saliency
    ranks = _rank(sums.flatten()).view(sums.shape)
    return ranks[(...,) + (None,) * (saliency.dim() - units)].expand_as(saliency)


def unit_scores(saliency: Tensor, granularity: Granularity, axis: int = 1) -> Tensor:
    """(units,) score of each unit, the sum of its weights'.

    Of an n:m pattern unit r is the r-th best weight of every block.
    """
    if granularity.m:
        blocks = _blocks(saliency, granularity.m, axis).flatten(0, -2)
        return blocks.sort(dim=-1, descending=True).values.sum(0)
    units = _unit_axes(saliency.dim(), granularity)
    sums = saliency.flatten(units).sum(-1) if units < saliency.dim() else saliency
    return sums.flatten()


def _blocks(saliency: Tensor, length: int, axis: int) -> Tensor:
    """(..., blocks, length) of consecutive inputs; a last one that is shorter ends with -1."""
    rows = saliency.movedim(axis, -1)
    full = nn.functional.pad(rows, (0, -rows.shape[-1] % length), value=-1.0)
    return full.reshape(*rows.shape[:-1], -1, length)


def _unit_axes(axes: int, granularity: Granularity) -> int:
    """How many leading axes of a weight number its units; the rest lie inside one."""
    inside = {"element": 0, "vector": min(1, axes - 2), "kernel": axes - 2}
    return axes - inside[granularity.name]


def _rank(scores: Tensor) -> Tensor:
    """Position of each entry when the last axis is sorted, best first; of equals the first."""
    order = scores.argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(scores.shape[-1], device=scores.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, places)


def masks_of(
    groups: Sequence[Group], orders: Mapping[str, Tensor], kept: Sequence[int], unit: Granularity
) -> dict[str, Tensor]:
    """For each layer that loses weights, which stay: boolean, of the weight's shape.

    Args:
        groups: Those that mask.
        orders: `unit_order` of each layer; of one that lost channels that of what is left, where as
            large a part of the units stays as would of the whole layer. Layers without are gone.
        kept: Units that stay, per group.
        unit: The groups' granularity.
    """
    masks = {}
    for group, count in zip(groups, kept, strict=True):
        order = orders.get(group.layers[0])
        if order is not None and count < group.units:
            units = group.units if unit.m else order.numel() // group.unit_weights
            masks[group.layers[0]] = order < part(units, count, group.units)
    return masks


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """A copy with plain zeros where the masks are false; `model` has no masks of its own."""
    memo: dict[int, Any] = {}
    for name, kept in masks.items():
        old = model.get_submodule(name).weight
        assert isinstance(old, nn.Parameter)
        memo[id(old)] = nn.Parameter(old.detach() * kept, old.requires_grad)
    return duplicate(model, memo)


def hold(model: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Hold weights at zero from now on, in place, where the masks are false."""
    for name, kept in masks.items():
        parametrize.register_parametrization(model.get_submodule(name), "weight", Mask(kept))
    return model


def bake(model: nn.Module) -> nn.Module:
    """Turn masks, in place, into plain zeros: an ordinary network of the unpruned one's classes."""
    for module in list(model.modules()):
        if _is_masked(module):
            _make_plain(module)
    return model


def _make_plain(module: nn.Module) -> None:
    # Not `remove_parametrizations`: it takes the weight from a class that copies of a module share.
    steps: Any = module.parametrizations
    original, weight = steps["weight"].original, module.weight
    assert isinstance(weight, Tensor)
    with torch.no_grad():
        original.copy_(weight.detach())
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    module.register_parameter("weight", original)


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy whose masks are plain zeros."""
    return bake(duplicate(model))


def _is_masked(module: nn.Module) -> bool:
    """Whether a mask, and nothing else, stands between a module and its parameters."""
    if not parametrize.is_parametrized(module):
        return False
    steps: Any = module.parametrizations
    return list(steps) == ["weight"] and all(isinstance(step, Mask) for step in steps["weight"])


def held_masks(model: nn.Module) -> dict[str, Tensor]:
    """The masks that a network's layers are held by, by the layers' names."""
    return {
        name: module.parametrizations["weight"][0].kept
        for name, module in model.named_modules()
        if _is_masked(module)
    }
