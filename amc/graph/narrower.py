"""The graph of what is left of a network.

Not traced again: what is left of a depthwise convolution of one channel looks like any other, and
would fall out of its group.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from amc.graph.amounts import Activation, Product, Width
from amc.graph.branches import Branch
from amc.graph.groups import Group, Part, Slice
from amc.graph.layers import Indices, KeptUnits, Layer
from amc.graph.pruning_graph import PruningGraph


def narrower(graph: PruningGraph, units: KeptUnits) -> PruningGraph:
    """The graph of the network that is left when `graph`'s is cut to these units.

    Groups, layers and branches that are gone are no longer in it.
    """
    kept = graph.settled([len(staying) for staying in units])
    outputs, inputs = graph.widths(kept)
    layers = zip(graph.layers, outputs.tolist(), inputs.tolist(), strict=True)
    left = [_resize(*one) for one in layers if one[1]]
    gone = _gone(graph, units)
    shorter = [
        _shorter(group, staying, gone) for group, staying in zip(graph.groups, units, strict=True)
    ]
    smaller = replace(graph, layers=tuple(left), groups=tuple(shorter))
    return smaller if kept.all() else _without(smaller, graph, kept.tolist())


def _resize(layer: Layer, outputs: int, inputs: int) -> Layer:
    if layer.depthwise:
        return replace(layer, outputs=outputs, inputs=outputs, groups=outputs)
    if layer.one_by_one:
        return replace(layer, outputs=outputs, inputs=inputs, groups=inputs)
    return replace(layer, outputs=outputs, inputs=outputs if layer.kind == "norm" else inputs)


Gone = Mapping[tuple[object, ...], list[int]]
"""Places that go, ascending, of each thing that has some."""


def _gone(graph: PruningGraph, units: KeptUnits) -> Gone:
    gone: dict[tuple[object, ...], list[int]] = {}
    for group, staying in zip(graph.groups, units, strict=True):
        leaving = set(range(group.units)) - set(staying)
        for part in group.parts:
            lost = gone.setdefault(part.where, [])
            lost += [index for unit in leaving for index in part.indices[unit]]
    return {where: sorted(lost) for where, lost in gone.items()}


def _shorter(group: Group, staying: tuple[int, ...], gone: Gone) -> Group:
    """Its units that stay, whose places move up into the gaps."""

    def renumbered(part: Part) -> Indices:
        lost = gone[part.where]
        return tuple(
            tuple(index - bisect_left(lost, index) for index in part.indices[unit])
            for unit in staying
        )

    left = group.moved(renumbered, units=len(staying))
    sizes = (replace(one, size=one.size - len(gone[one.where])) for one in left.statistics)
    return replace(left, statistics=tuple(sizes))


def _without(smaller: PruningGraph, graph: PruningGraph, kept: list[int]) -> PruningGraph:
    """Without the groups that keep nothing, and all that goes with them.

    Args:
        smaller: With groups of no units.
        graph: The one before it.
        kept: Units of each group.
    """
    alone, ended = graph.outermost(kept), graph.ended(kept)
    constants = [one for one, out in zip(graph.branches, alone, strict=True) if out]
    numbers = {at: number for number, at in enumerate(n for n, count in enumerate(kept) if count)}
    groups = [_thinner(smaller.groups[at], smaller, constants) for at in numbers]
    left = [one for one, out in zip(graph.branches, ended, strict=True) if not out]
    return replace(
        smaller,
        layers=_over_others(smaller, graph),
        groups=tuple(groups),
        branches=tuple(_renumbered_branch(one, numbers) for one in left),
        products=_products(smaller.products, constants, numbers),
        loose_buffers=_products(smaller.loose_buffers, constants, numbers),
        loose_params=(
            *_products(smaller.loose_params, constants, numbers),
            *(_constant(one, numbers) for one in constants),
        ),
        activations=tuple(_by_new_places(one, numbers) for one in smaller.activations),
        other_params=smaller.other_params - sum(one.other_params for one in constants),
        other_bytes=smaller.other_bytes - sum(one.other_bytes for one in constants),
    )


def _over_others(smaller: PruningGraph, graph: PruningGraph) -> tuple[Layer, ...]:
    """Layers whose places are the channels of one that is gone, over another that is as wide.

    Where there is none, no group decides how many they are.
    """
    made, left = graph.width_maps[0], {layer.name for layer in smaller.layers}

    def other(layer: Layer) -> Layer:
        if layer.over in {"", *left}:
            return layer
        row = made[graph.layer_index[layer.over]]
        wide = graph.layers[graph.layer_index[layer.over]].outputs
        alike = (
            one.name
            for at, one in enumerate(graph.layers)
            if one.name in left and one.outputs == wide and (made[at] == row).all()
        )
        if name := next(alike, ""):
            return replace(layer, over=name)
        return replace(
            layer,
            over="",
            positions=layer.positions * wide,
            read=layer.read * wide,
            written=layer.written * wide,
        )

    return tuple(map(other, smaller.layers))


def _thinner(group: Group, smaller: PruningGraph, gone: Iterable[Branch]) -> Group:
    """A group without its parts in branches that are gone, and with those in their constants."""
    layers = {layer.name for layer in smaller.layers}
    lost = list(gone)
    constants = (
        Slice(f"{branch.name}.constant", branch.axes + branch.axis, member.indices)
        for branch in lost
        for member in group.members
        if (member.module, member.side) == (branch.reader, "out")
    )
    slices = (one for one in group.slices if not any(branch.covers(one.tensor) for branch in lost))
    return replace(
        group,
        members=tuple(one for one in group.members if one.module in layers),
        layers=tuple(name for name in group.layers if name in layers),
        slices=(*slices, *constants),
        attributes=tuple(
            one for one in group.attributes if not any(branch.covers(one.module) for branch in lost)
        ),
    )


def _constant(branch: Branch, numbers: Mapping[int, int]) -> Product:
    return Product(f"{branch.name}.constant", 1.0, (_width(branch.width, numbers),))


def _renumbered_branch(branch: Branch, numbers: Mapping[int, int]) -> Branch:
    return replace(
        branch,
        groups=tuple(numbers[at] for at in branch.groups),
        within=tuple(numbers[at] for at in branch.within if at in numbers),
        width=_width(branch.width, numbers),
    )


def _products(
    products: Iterable[Product], gone: Iterable[Branch], numbers: Mapping[int, int]
) -> tuple[Product, ...]:
    lost = list(gone)
    return tuple(
        _by_new_places(one, numbers)
        for one in products
        if not any(branch.covers(one.name) for branch in lost)
    )


Sized = TypeVar("Sized", Product, Activation)


def _by_new_places(one: Sized, numbers: Mapping[int, int]) -> Sized:
    return replace(one, widths=tuple(_width(width, numbers) for width in one.widths))


def _width(width: Width, numbers: Mapping[int, int]) -> Width:
    """The same, of groups by their new places."""
    return replace(
        width, parts=tuple((numbers[at], each) for at, each in width.parts if at in numbers)
    )
