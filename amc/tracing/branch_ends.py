"""Where branches end: what becomes constant where a group keeps nothing, and what that meets.

Where a group keeps nothing, the layers that read it make constants. All that depends on nothing
else is constant too; where that meets what still varies, the branch ends. What only the branch
reads is gone with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from amc.graph import Group, Member, PruningGraph
from amc.modules import kinds
from amc.tracing.dependence import CONSTANT, VARYING, Dependence, Node, Ran, operation

SPREADING = frozenset(("Add", "Mul", "Sub", "Div"))
"""Nodes of operations that take one place for many."""


@dataclass(frozen=True)
class End:
    """Where a branch ends if one group keeps nothing.

    Attributes:
        group: By its place.
        reader: The layer that reads it.
        told: What every node of the forward pass is then.
        meets: Constant nodes that others read which vary.
        gone: Layers that nothing depends on any more, or that make constants.
        inside: The same of all modules.
        left: Nodes that the outputs still depend on.
        sums: Nodes that add the constants to what varies; none where one does something else.
        spreads: Whether all that the constants meet takes one place for many.
    """

    group: int
    reader: str
    told: Mapping[Node, str]
    meets: frozenset[Node]
    gone: frozenset[str]
    inside: frozenset[str]
    left: frozenset[Node]
    sums: frozenset[Node]
    spreads: bool


def end_of(model: nn.Module, graph: PruningGraph, seen: Dependence, at: int) -> End | None:
    """Where the branch of a group ends; None where the network does not go on without."""
    nodes = {}
    for name in _readers(model, graph, at):
        ran = seen.ran.get(caller(seen, name))
        if ran is not None and len(ran.nodes) == 1 and ran.nodes[0] in seen.whole:
            nodes[name] = ran.nodes[0]
    told = seen.told(nodes.values())
    if not nodes or any(told[one] != seen.plain[one] for one in seen.outputs):
        return None
    ahead = seen.reached(nodes.values())
    last = [name for name, node in nodes.items() if node in ahead]
    if len(last) != 1:
        return None
    met = {
        (source, node)
        for source, kind in told.maps[0].items()
        if kind == CONSTANT
        for node in seen.readers[source]
        if told[node] == VARYING and node in ahead
    }
    meets = frozenset(source for source, _ in met)
    left = seen.reached(meets)
    if not all(nodes_of & left for nodes_of in seen.given):
        return None  # The network would go on without one of its inputs.

    def is_gone(one: Ran) -> bool:
        known = [node for node in one.nodes if node in seen.whole]
        return bool(known) and all(node not in left or told[node] == CONSTANT for node in known)

    inside = frozenset(name for name, one in seen.ran.items() if is_gone(one))
    gone = frozenset(x.name for x in graph.layers if caller(seen, x.name) in inside)
    added = all(node.name().startswith("Add") for _, node in met)
    sums = frozenset(node for _, node in met if added)
    spreads = all(operation(node) in SPREADING for _, node in met)
    return End(at, last[0], told, meets, gone, inside, frozenset(left), sums, spreads)


def _readers(model: nn.Module, graph: PruningGraph, at: int) -> list[str]:
    """The layers that read a group and nothing else, with a weight of their own."""
    group = graph.groups[at]
    return [
        member.module
        for member in group.members
        if member.side == "in" and _reads_alone(model, graph, group, member)
    ]


def _reads_alone(model: nn.Module, graph: PruningGraph, group: Group, member: Member) -> bool:
    layer = graph.layers[graph.layer_index[member.module]]
    module = model.get_submodule(member.module)
    weight = kinds.weight_of(module)
    own = any(weight is one for one in module._parameters.values())
    whole = group.units * len(member.indices[0]) == layer.inputs and not layer.one_by_one
    return whole and own and hasattr(module, "bias")


def caller(seen: Dependence, name: str) -> str:
    """The module that ran for a layer: PyTorch's own attention never calls its last layer."""
    return name if name in seen.ran else name.rpartition(".")[0]
