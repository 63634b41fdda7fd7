"""The network as plain data: its layers, and its groups of channels that must go together."""

from amc.graph.amounts import Activation, Product, Width
from amc.graph.branches import Branch, lies_in
from amc.graph.groups import Attribute, Group, Member, Part, Slice, Statistic
from amc.graph.layers import NUMBER_BYTES, SIDES, Indices, Kept, KeptUnits, Layer, Side
from amc.graph.narrower import narrower
from amc.graph.pruning_graph import Fixed, PruningGraph

__all__ = [
    "NUMBER_BYTES",
    "SIDES",
    "Activation",
    "Attribute",
    "Branch",
    "Fixed",
    "Group",
    "Indices",
    "Kept",
    "KeptUnits",
    "Layer",
    "Member",
    "Part",
    "Product",
    "PruningGraph",
    "Side",
    "Slice",
    "Statistic",
    "Width",
    "lies_in",
    "narrower",
]
