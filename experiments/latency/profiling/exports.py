"""What changes in a network's export with a unit of each group, told by exports of cut networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amc.graph import PruningGraph
from experiments.latency.profiling.falls import (
    Falls,
    UndecidedError,
    one_by_one,
    probes,
    solved,
)
from experiments.latency.profiling.program import Op, Program, Shape, shapes

Exported = Callable[[Sequence[int]], Program]
Parameters = Mapping[str, tuple[str, bool]]


class UnlikeError(ValueError):
    """Exports of one network at two widths that differ by more than numbers."""


def with_weights(
    program: Program, parameters: Parameters
) -> tuple[Program, dict[str, tuple[str, bool]]]:
    """The same, in which every constant of floating-point numbers is a weight.

    An export computes some of them from parameters, and leaves others to be computed, as the gates
    of a recurrent layer in another order. Every operator has constants of its own, as equal ones
    need not be equal at other widths.

    Returns:
        The program, and the parameter that each of its weights is made of, where one is known.
    """
    held = {n: v.shape for n, v in program.constants.items() if n in parameters}
    program = _unshared(_as_weights(program, held))
    program = _as_weights(program, {n: v.shape for n, v in program.constants.items() if _fills(v)})
    whole, made = _computed(program)
    known = {name: parameters.get(source) for name, source in made.items()}
    return whole, {name: source for name, source in known.items() if source is not None}


def _as_weights(program: Program, held: Mapping[str, Shape]) -> Program:
    constants = {name: one for name, one in program.constants.items() if name not in held}
    return replace(program, weights={**program.weights, **held}, constants=constants)


def _fills(value: NDArray[Any]) -> bool:
    return value.dtype.kind == "f" and value.size > 1


def _computed(program: Program) -> tuple[Program, dict[str, str]]:
    """Without operators that make weights of weights, and the first weight that each is made of."""
    made = {name: name for name in program.weights}
    others = []
    for op in program.ops:
        sources = [made[name] for name in op.inputs if name in made]
        alone = {*made, *program.constants, ""}.issuperset(op.inputs)
        if sources and alone and not set(op.outputs) & set(program.outputs):
            made |= dict.fromkeys(op.outputs, sources[0])
        else:
            others.append(op)
    read = {name for op in others for name in op.inputs}
    known = (
        {**shapes(program), **program.weights}
        if len(others) < len(program.ops)
        else program.weights
    )
    smaller = replace(
        program,
        ops=tuple(others),
        weights={name: known[name] for name in made if name in read},
        constants={name: value for name, value in program.constants.items() if name in read},
    )
    return smaller, {name: source for name, source in made.items() if name in read}


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
    whole: Program, graph: PruningGraph, exported: Exported
) -> tuple[Falls, dict[str, Shape]]:
    """What a program loses with a unit of each group, and the shapes of the whole.

    Few groups lose a unit one after the other. Of many, all lose some at once, differently in each
    of a few exports, and what fell as one or two of them did is theirs; where that does not tell,
    they go one after the other as well.

    Args:
        whole: The unpruned network's program.
        graph: Its groups.
        exported: The program of the network at some kept counts.

    Raises:
        UnlikeError: if an export has other operators.
    """
    full = {**shapes(whole), **whole.weights}
    full |= {name: one.shape for name, one in whole.constants.items() if _is_whole(one)}
    for gone in (probes(graph.full), one_by_one(graph.full)):
        if gone is not None:
            others = [_named_as(whole, exported(np.subtract(graph.full, row))) for row in gone]
            try:
                return _falls(whole, full, gone, others), full
            except UndecidedError:
                continue
    raise UnlikeError("its numbers do not fall evenly")


def _is_whole(value: NDArray[Any]) -> bool:
    return value.dtype.kind == "i"


def _falls(
    whole: Program,
    full: Mapping[str, Shape],
    gone: NDArray[np.int64],
    others: Sequence[Program],
) -> Falls:
    known = [
        {**shapes(other), **other.weights, **{n: v.shape for n, v in other.constants.items()}}
        for other in others
    ]
    fall = {
        name: solved(gone, [np.subtract(shape, one[name]) for one in known])
        for name, shape in full.items()
    }
    numbers = {}
    for name, value in whole.constants.items():
        if _is_whole(value) and not _cropped(name, value, others):
            numbers[name] = solved(gone, [value - other.constants[name] for other in others])
    attributes = {
        op.outputs[0]: found
        for at, op in enumerate(whole.ops)
        if (found := _of_attributes(gone, op, [other.ops[at].attributes for other in others]))
    }
    shrinking = {n: one for n, one in fall.items() if n not in whole.constants or one.any()}
    return Falls(shrinking, {n: one for n, one in numbers.items() if one.any()}, attributes)


def _cropped(name: str, value: NDArray[Any], others: Sequence[Program]) -> bool:
    """Whether a constant is longer or shorter, as numbers from 0 to a width are.

    Raises:
        UnlikeError: if what is left of it is not how it begins.
    """
    found = [other.constants[name] for other in others]
    if all(one.shape == value.shape for one in found):
        return False
    for one in found:
        if not np.array_equal(one, value[tuple(map(slice, one.shape))]):
            raise UnlikeError("a cut network's export has other constants")
    return True


def _of_attributes(
    gone: NDArray[np.int64], op: Op, others: Sequence[Mapping[str, Any]]
) -> dict[str, NDArray[np.int64]]:
    """What whole numbers among an operator's attributes lose; groups of a convolution follow its
    weight."""
    found: dict[str, NDArray[np.int64]] = {}
    for name, value in op.attributes.items():
        one = np.asarray(value)
        if one.dtype.kind != "i" or (op.kind.startswith("Conv") and name == "group"):
            continue
        if any(np.asarray(other.get(name)).shape != one.shape for other in others):
            raise UnlikeError(f"an operator {op.kind} has other attributes at other widths")
        lost = solved(gone, [one - np.asarray(other[name]) for other in others])
        found |= {name: lost} if lost.any() else {}
    return found


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
    other, _ = with_weights(other, {})
    names: dict[str, str] = {"": ""}
    for old, new in _pairs(whole, other):
        if names.setdefault(new, old) != old:
            raise UnlikeError("operators of a cut network's export read other tensors")
    weights = {names[name]: shape for name, shape in other.weights.items()}
    values = {names[name]: value for name, value in other.constants.items()}
    same = weights.keys() == whole.weights.keys() and values.keys() == whole.constants.keys()
    if not same or not all(_may_be(one, values[n]) for n, one in whole.constants.items()):
        raise UnlikeError("a cut network's export has other constants")
    ops = tuple(
        replace(op, attributes=made.attributes)
        for op, made in zip(whole.ops, other.ops, strict=True)
    )
    return replace(whole, ops=ops, weights=weights, constants=values)


def _may_be(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether a constant can be another one at other widths."""
    return one.shape == other.shape or (_is_whole(one) and one.ndim == other.ndim)


def _pairs(whole: Program, other: Program) -> Iterator[tuple[str, str]]:
    """Names of the same tensors in both."""
    if [op.kind for op in whole.ops] != [op.kind for op in other.ops]:
        raise UnlikeError("a cut network's export has other operators")
    yield from zip(whole.inputs, other.inputs, strict=True)
    for one, two in zip(whole.ops, other.ops, strict=True):
        if len(one.inputs) != len(two.inputs) or len(one.outputs) != len(two.outputs):
            raise UnlikeError("a cut network's export has other operators")
        yield from zip((*one.inputs, *one.outputs), (*two.inputs, *two.outputs), strict=True)
