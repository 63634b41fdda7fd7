"""Latency as a function of the kept counts, from a table that was measured."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amc.costs.latency.reach import reach
from amc.costs.latency.table import LatencyTable, LatencyTableError, Piece
from amc.structure import Layer, PruningGraph

COMPARED = ("name", "kind", "outputs", "inputs", "groups", "kernel", "stride", "in_size")
"""What of a layer decides how long it takes."""


@dataclass(frozen=True)
class _Grid:
    """Seconds of one call at the widths it may have; between them, those of the next wider one."""

    row: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    tied: bool
    seconds: NDArray[np.float64]

    def __call__(self, inputs: int, outputs: int) -> float:
        column = bisect_left(self.outputs, outputs)
        if self.tied:
            return float(self.seconds[column])
        return float(self.seconds[bisect_left(self.inputs, inputs), column])


class Latency:
    """Seconds that a pass of the table's batch takes on the table's device.

    The sum over the layers, each with what runs behind it, from times that were measured at some
    widths and are interpolated at others, corrected by whole networks. The error is the table's
    `fit`.

    Hardware is not monotone: a layer of 63 channels can be slower than one of 64. Given `counts`,
    the cost is: at each of their widths it is the largest time of any width that is not larger. Of
    counts that a wider one beats that would be too much (`amc.costs.latency.fast_counts` leaves
    them out). Without `counts` it is the plain prediction.

    Args:
        graph: Of the network that was measured.
        table: What was measured.
        counts: For each group its legal kept counts, ascending; the cost is monotone over them.

    Raises:
        LatencyTableError: if the table is of another network; names the first difference.
    """

    unit = "seconds"

    def __init__(
        self,
        graph: PruningGraph,
        table: LatencyTable,
        counts: Sequence[Sequence[int]] | None = None,
    ) -> None:
        check_same(graph, table)
        self._graph, self.table = graph, table
        ranges = None if counts is None else reach(graph, counts)
        rows = [graph.layer_index[name] for name, _ in table.calls]
        self._grids = []
        for row, (_, number) in zip(rows, table.calls, strict=True):
            widths = None if ranges is None else (ranges[row].inputs, ranges[row].outputs)
            self._grids.append(_grid(row, table.pieces[number], widths))
        kinds = [table.pieces[number].kind for _, number in table.calls]
        self._scales = np.array([table.correction.scales[kind] for kind in kinds])

    def __call__(self, kept: Sequence[int]) -> float:
        """Seconds of a pass."""
        return float(self.per_layer(kept).sum()) + self.table.correction.constant

    def per_layer(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(layers,) seconds of each layer with what runs behind it; what is left is the pass's.

        Raises:
            ValueError: if a layer becomes narrower than was measured.
        """
        seconds = np.zeros(len(self._graph.layers))
        rows = [grid.row for grid in self._grids]
        np.add.at(seconds, rows, self._scales * self.per_call(kept))
        return seconds

    def per_call(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(calls,) seconds of each of the table's calls as it was measured alone, uncorrected.

        Raises:
            ValueError: if a layer becomes narrower than was measured.
        """
        outputs, inputs = (side.tolist() for side in self._graph.widths(kept))
        found = np.empty(len(self._grids))
        for at, grid in enumerate(self._grids):
            row = grid.row
            if inputs[row] < grid.inputs[0] or outputs[row] < grid.outputs[0]:
                raise ValueError(_too_narrow(self._graph.layers[row], inputs[row], outputs[row]))
            found[at] = grid(inputs[row], outputs[row])
        return found


def check_same(graph: PruningGraph, table: LatencyTable) -> None:
    """See that a table is of this network.

    Raises:
        LatencyTableError: if it is not; names the first difference.
    """
    layers = [layer for layer in graph.layers if layer.kind != "norm"]
    for mine, measured in zip(layers, table.layers, strict=False):
        for key in COMPARED:
            here, there = getattr(mine, key), getattr(measured, key)
            if here != there:
                raise LatencyTableError(
                    f"the latency table is of another network ({table.network}): where this one "
                    f"has {key} {here} at layer {mine.name!r}, it has {there}; profile this one "
                    "with `amc profile`"
                )
    if len(layers) != len(table.layers):
        raise LatencyTableError(
            f"the latency table is of another network ({table.network}): it has "
            f"{len(table.layers)} layers, this one {len(layers)}; profile it with `amc profile`"
        )


def _grid(row: int, piece: Piece, widths: tuple[Sequence[int], Sequence[int]] | None) -> _Grid:
    """The piece's times at all widths, or, made monotone, at those given."""
    ends = [range(side[0], side[-1] + 1) for side in (piece.inputs, piece.outputs)]
    inputs, outputs = (
        ends if widths is None else (_inside(*p) for p in zip(widths, ends, strict=True))
    )
    seconds = piece.over(inputs, outputs)
    if widths is not None:
        for axis in range(seconds.ndim):
            seconds = np.maximum.accumulate(seconds, axis=axis)
    return _Grid(row, inputs, outputs, piece.tied, seconds)


def _inside(widths: Sequence[int], measured: range) -> Sequence[int]:
    """Those that were measured; narrower ones are refused when they are asked for."""
    return tuple(width for width in widths if width in measured)


def _too_narrow(layer: Layer, inputs: int, outputs: int) -> str:
    return (
        f"latency: layer {layer.name!r} with {inputs} inputs and {outputs} outputs is narrower "
        "than what was measured; profile again with a larger --max-ratio, or lower it here"
    )
