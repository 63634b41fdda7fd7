"""Latency tables without a device: times from a formula, for any traced network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from amc.costs.latency import Correction, Device, Fit, LatencyTable, Piece, Point, reach
from amc.costs.latency.widths import Reach
from amc.granularity import Rounding
from amc.graph import Layer, PruningGraph

Formula = Callable[[int, int], float]
"""From inputs and outputs of a layer to its seconds."""

DEVICE = Device("a processor", 2, "Linux x86_64", "onnxruntime", "1.0.0", threads=1, batch=1)


def rising(inputs: int, outputs: int) -> float:
    """Microseconds in proportion to the work."""
    return 1e-6 * (1 + inputs * outputs)


def in_blocks(inputs: int, outputs: int) -> float:
    """Blocks of 4 outputs, and inputs that do not fill blocks of 4 take four times as long."""
    blocks = -(-outputs // 4) * 4
    return 1e-6 * inputs * blocks * (1.0 if inputs % 4 == 0 else 4.0)


def table_of(
    graph: PruningGraph,
    formula: Formula = rising,
    constant: float = 0.0,
    scale: float = 1.0,
    counts: Sequence[Sequence[int]] | None = None,
) -> LatencyTable:
    """A table in which every width that pruning can reach was measured."""
    legal = counts or Rounding(1, 0.99).legal(graph.full)
    ranges = reach(graph, legal)
    rows = [row for row, layer in enumerate(graph.layers) if layer.kind != "norm"]
    layers = tuple(graph.layers[row] for row in rows)
    return LatencyTable(
        DEVICE,
        "made up",
        layers,
        tuple((layer.name, number) for number, layer in enumerate(layers)),
        tuple(_piece(graph.layers[row], ranges[row], formula) for row in rows),
        Correction(constant, {layer.kind: scale for layer in layers}),
        Fit(10, 0.01, 0.02, 0.99, 0.005),
        {"rounds": 8.0},
    )


def _piece(layer: Layer, own: Reach, formula: Formula) -> Piece:
    along = (
        zip(own.inputs, own.outputs, strict=False) if own.tied else product(own.inputs, own.outputs)
    )
    points = tuple(Point(i, o, formula(i, o), 0.0) for i, o in along)
    return Piece(layer.kind, layer.kind, own.tied, points)
