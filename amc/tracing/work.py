"""Multiply-accumulates, operation by operation, with the labels of what is multiplied.

What counts is what PyTorch's FlopCounterMode counts: convolutions and products of matrices, those
inside of attention included. The size of each axis of a product comes from the labels along it, so
that the count is known for every cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor

from amc.modules import operations, tensors
from amc.tracing.flow import Flow
from amc.tracing.labels import align, varying

Axis = Sequence[tuple[Tensor, int]]
"""One axis of a product: where it stands in the operands."""

MATRICES = {
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "addmm": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}


@dataclass(frozen=True)
class Work:
    """A product of two operands, or several alike.

    Args:
        name: The module in whose code it is done.
        macs: Of all samples.
        axes: Along each axis whose size may change, (size, labels) the labels at each place.
    """

    name: str
    macs: float
    axes: tuple[Tensor, ...] = ()


def axes_of(name: str, given: Mapping[str, Any], out: Tensor) -> list[tuple[float, list[Axis]]]:
    """What an operation multiplies: for each product the places of one, and its axes.

    Args:
        name: Of the operation.
        given: Its arguments by name.
        out: What it returned first.
    """
    if name in MATRICES:
        return [(1.0, _matrices(*(given[one] for one in MATRICES[name])))]
    if name in operations.CONVOLUTIONS:
        read, weight = given["input"], given["weight"]
        places = read if given["transposed"] else out
        each = places.shape[0] * prod(places.shape[2:])
        return [(each, [[(weight, axis)] for axis in range(weight.dim())])]
    if "scaled_dot_product" in name:
        query, key, value = (given[one] for one in ("query", "key", "value"))
        scores = _matrices(query, key, turned=True)
        values = _matrices(query, value)
        # The scores have the places of the queries and of the keys, which the values have too.
        values = [*values[:-2], [(key, key.dim() - 2), (value, value.dim() - 2)], values[-1]]
        return [(1.0, scores), (1.0, values)]
    return []


def _matrices(left: Tensor, right: Tensor, *, turned: bool = False) -> list[Axis]:
    """Axes of a (batched) product: batches, rows, what is summed over, columns.

    Args:
        left: (..., rows, summed)
        right: (..., summed, columns), or `turned` the other way round.
    """
    axes = left.dim()
    summed, columns = (axes - 1, axes - 2) if turned else (axes - 2, axes - 1)
    batches: list[Axis] = [[(left, axis), (right, axis)] for axis in range(axes - 2)]
    return [*batches, [(left, axes - 2)], [(left, axes - 1), (right, summed)], [(right, columns)]]


def labels_along(flow: Flow, places: Axis) -> Tensor | None:
    """(size, labels) of the first operand that has labels along the axis; None where none has."""
    for tensor, axis in places:
        for plane in flow.planes(tensor):
            plane = align(plane, tensor.dim())
            if axis in varying(plane):
                return plane.movedim(axis, 0).flatten(1)
    return None


def total(name: str, given: Mapping[str, Any], out: Any) -> float:
    """Multiply-accumulates of one operation."""
    return sum(work.macs for work in measure(Flow(), name, given, tensors(out)))


def measure(flow: Flow, name: str, given: Mapping[str, Any], out: Sequence[Tensor]) -> list[Work]:
    """The work of one operation, of a module that is not named yet."""
    found = []
    for each, axes in axes_of(name, given, out[0]) if out else []:
        sizes = [tensor.shape[axis] for (tensor, axis), *_ in axes]
        labels = [labels for places in axes if (labels := labels_along(flow, places)) is not None]
        found.append(Work("", each * prod(sizes), tuple(labels)))
    return found
