"""Latency as a function of the kept counts, from a table that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.costs.latency.latency_table import LatencyTable, LatencyTableError, Piece
from amc.costs.latency.measured import all_measured
from amc.costs.latency.widths import Reach, reach
from amc.graph import Layer, PruningGraph

LATENCY = "latency"
"""Short name of the cost."""

Widths = NDArray[np.int64]

COMPARED = ("name", "kind", "outputs", "inputs", "groups", "kernel", "stride", "in_size")
"""What of a layer decides how long it takes."""


@dataclass(frozen=True)
class _Grid:
    """Seconds of one call at the widths it may have; at others, those of the next wider one."""

    row: int
    inputs: Widths
    outputs: Widths
    tied: bool
    seconds: NDArray[np.float64]

    def __call__(self, inputs: Widths, outputs: Widths) -> NDArray[np.float64]:
        column = np.searchsorted(self.outputs, outputs)
        found: NDArray[np.float64] = (
            self.seconds[column]
            if self.tied
            else self.seconds[np.searchsorted(self.inputs, inputs), column]
        )
        return found


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
        counts: For each group of channels its legal kept counts, ascending; the cost is monotone
            over them. Zeros of groups that mask take their time as other weights do.

    Raises:
        LatencyTableError: if the table is of another network; names the first difference.
        ValueError: if `counts` are narrower than what was measured.
    """

    unit = "seconds"

    def __init__(
        self,
        graph: PruningGraph,
        table: LatencyTable,
        counts: Sequence[Sequence[int]] | None = None,
    ) -> None:
        check_same(graph, table)
        self._graph, self.table, self._plain = graph.channels, table, counts is None
        self._groups = len(self._graph.groups)
        ranges = self._ranges(counts)
        self._grids = []
        for name, number in table.calls:
            row, piece = graph.layer_index[name], table.pieces[number]
            if ranges is None:
                grid = _plain(row, piece, _between(piece.inputs), _between(piece.outputs))
            elif counts is None:
                grid = _plain(row, piece, ranges[row].inputs, ranges[row].outputs)
            else:
                grid = _rising(row, piece, self._graph, ranges[row])
            self._grids.append(grid)
        kinds = [table.pieces[number].kind for _, number in table.calls]
        self._scales = np.array([table.correction.scales[kind] for kind in kinds])

    def _ranges(self, counts: Sequence[Sequence[int]] | None) -> tuple[Reach, ...] | None:
        """Widths that every layer may have; None allows all that lie between measured ones.

        Without `counts` of a table that was measured at whole blocks or multiples alone, those: a
        width between two of them is told as the wider one.
        """
        measured = all_measured(self.table, self._graph)
        if counts is None and not measured.steps and measured.round_to == 1:
            return None
        return reach(self._graph, counts or measured.legal(self._graph.full))

    def __call__(self, kept: Sequence[int]) -> float:
        """Seconds of a pass."""
        return float(self.each(np.asarray(kept, np.int64)))

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """(policies,) the same at (policies, groups) kept counts."""
        seconds: NDArray[np.float64] = self.per_layer(kept).sum(-1)
        return seconds + self.table.correction.constant

    def per_layer(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., layers) seconds of each layer with what runs behind it; the rest is the pass's.

        Args:
            kept: (..., groups) kept counts.

        Raises:
            ValueError: if a layer becomes narrower than was measured.
        """
        calls = self._scales * self.per_call(kept)
        seconds = np.zeros((*calls.shape[:-1], len(self._graph.layers)))
        for at, grid in enumerate(self._grids):
            seconds[..., grid.row] += calls[..., at]
        return seconds

    def per_call(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., calls) seconds of each of the table's calls as it was measured alone, uncorrected.

        Args:
            kept: (..., groups) kept counts.

        Raises:
            ValueError: if a layer becomes narrower than was measured.
        """
        outputs, inputs = self._graph.widths(np.asarray(kept, np.int64)[..., : self._groups])
        found = []
        for grid in self._grids:
            layer, present = self._graph.layers[grid.row], outputs[..., grid.row] > 0
            # What is gone takes no time, and has no width that was measured.
            read = np.where(present, inputs[..., grid.row], layer.inputs)
            made = np.where(present, outputs[..., grid.row], layer.outputs)
            if self._plain:
                _check_measured(layer, (int(read.min()), int(made.min())), grid)
            found.append(present * grid(read, made))
        return np.stack(found, -1)


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


def _plain(row: int, piece: Piece, inputs: Sequence[int], outputs: Sequence[int]) -> _Grid:
    """The piece's times at these widths."""
    seconds = piece.over(inputs, outputs)
    return _Grid(row, np.array(inputs), np.array(outputs), piece.tied, seconds)


def _between(measured: Sequence[int]) -> range:
    """All widths between those that were measured."""
    return range(measured[0], measured[-1] + 1)


def _rising(row: int, piece: Piece, graph: PruningGraph, own: Reach) -> _Grid:
    """The piece's times at the widths that its layer can have, never falling."""
    _check_measured(graph.layers[row], (own.inputs[0], own.outputs[0]), piece)
    seconds = piece.over(own.inputs, own.outputs)
    for axis in range(seconds.ndim):
        seconds = np.maximum.accumulate(seconds, axis=axis)
    inputs, outputs = np.array(own.inputs), np.array(own.outputs)
    return _Grid(row, inputs, outputs, piece.tied, seconds)


def _check_measured(layer: Layer, widths: tuple[int, int], measured: _Grid | Piece) -> None:
    """See that a layer is not narrower than what was measured.

    Raises:
        ValueError: if it is.
    """
    if widths[0] < measured.inputs[0] or widths[1] < measured.outputs[0]:
        raise ValueError(
            f"latency: layer {layer.name!r} with {widths[0]} inputs and {widths[1]} outputs is "
            "narrower than what was measured; give the --max-ratio and --round-to of the profile, "
            "or profile again with these"
        )
