"""What changes in a network's export with a unit of each group, told by exports of cut networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from amc.graph import PruningGraph
from experiments.latency.profiling.program import Program, Shape, shapes

Slopes = dict[str, NDArray[np.int64]]


class UnlikeError(ValueError):
    """Exports of one network at two widths that differ by more than numbers."""


def with_weights(program: Program) -> Program:
    """The same, in which every constant of floating-point numbers is a weight.

    An export computes some of them from parameters. Every operator has constants of its own, as
    equal ones need not be equal at other widths.
    """
    program = _unshared(program)
    weights = {
        name: tuple(value.shape)
        for name, value in program.constants.items()
        if value.dtype.kind == "f" and value.size > 1
    }
    constants = {name: one for name, one in program.constants.items() if name not in weights}
    return replace(program, weights={**program.weights, **weights}, constants=constants)


def _unshared(program: Program) -> Program:
    ops, constants = [], {}
    for number, op in enumerate(program.ops):
        names = []
        for at, name in enumerate(op.inputs):
            own = f"{name}/{number}/{at}" if name in program.constants else name
            if own != name:
                constants[own] = program.constants[name]
            names.append(own)
        ops.append(replace(op, inputs=tuple(names)))
    return replace(program, ops=tuple(ops), constants=constants)


def measure(
    whole: Program, graph: PruningGraph, exported: Callable[[Sequence[int]], Program]
) -> tuple[Slopes, dict[str, Shape], Slopes]:
    """What shapes and constants lose with a unit of each group, and the shapes of the whole.

    Args:
        whole: The unpruned network's program.
        graph: Its groups.
        exported: The program of the network at some kept counts.

    Raises:
        UnlikeError: if an export has other operators.
    """
    full = {**shapes(whole), **whole.weights}
    groups = len(graph.groups)
    slopes = {name: np.zeros((groups, len(shape)), np.int64) for name, shape in full.items()}
    numbers = {
        name: np.zeros((groups, *value.shape), np.int64)
        for name, value in whole.constants.items()
        if value.dtype.kind == "i"
    }
    for number, group in enumerate(graph.groups):
        if group.units == 1:
            continue
        kept = (*graph.full[:number], group.units - 1, *graph.full[number + 1 :])
        other = _named_as(whole, exported(kept))
        less = {**shapes(other), **other.weights}
        for name, shape in full.items():
            slopes[name][number] = np.subtract(shape, less[name])
        for name in numbers:
            numbers[name][number] = whole.constants[name] - other.constants[name]
    return slopes, full, {name: lost for name, lost in numbers.items() if lost.any()}


def compare(made: Program, exported: Program) -> None:
    """See that a program is what was exported.

    Raises:
        UnlikeError: if it is not; names the first difference.
    """
    other = _named_as(made, exported)
    for one, two in zip(made.ops, other.ops, strict=True):
        if one.attributes != two.attributes:
            raise UnlikeError(f"an operator {one.kind} has other attributes at other widths")
    for name, shape in made.weights.items():
        if other.weights[name] != shape:
            raise UnlikeError(f"a weight of shape {other.weights[name]} does not shrink evenly")
    for name, value in made.constants.items():
        if not np.array_equal(value, other.constants[name]):
            raise UnlikeError(f"a constant {other.constants[name].tolist()} does not shrink evenly")


def _named_as(whole: Program, other: Program) -> Program:
    """The other program with the names of the first, operator by operator.

    Raises:
        UnlikeError: if their operators differ.
    """
    other = _unshared(other)
    names: dict[str, str] = {"": ""}
    for old, new in _pairs(whole, other):
        if names.setdefault(new, old) != old:
            raise UnlikeError("operators of a cut network's export read other tensors")
    held = {**dict.fromkeys(other.weights), **other.constants}
    values = {names[name]: other.constants[name] for name in held if name in names}
    for name in (*whole.weights, *whole.constants):
        if name not in values or (
            name in whole.constants and values[name].shape != whole.constants[name].shape
        ):
            raise UnlikeError("a cut network's export has other constants")
    return replace(
        whole,
        ops=tuple(
            replace(op, attributes=made.attributes)
            for op, made in zip(whole.ops, other.ops, strict=True)
        ),
        weights={name: tuple(values[name].shape) for name in whole.weights},
        constants={name: values[name] for name in whole.constants},
    )


def _pairs(whole: Program, other: Program) -> Iterator[tuple[str, str]]:
    """Names of the same tensors in both."""
    if [op.kind for op in whole.ops] != [op.kind for op in other.ops]:
        raise UnlikeError("a cut network's export has other operators")
    yield from zip(whole.inputs, other.inputs, strict=True)
    for one, two in zip(whole.ops, other.ops, strict=True):
        if len(one.inputs) != len(two.inputs) or len(one.outputs) != len(two.outputs):
            raise UnlikeError("a cut network's export has other operators")
        yield from zip((*one.inputs, *one.outputs), (*two.inputs, *two.outputs), strict=True)
