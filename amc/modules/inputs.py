"""What a network takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Calls:
    """Several calls of one network, for example inputs.

    What runs in any of them is followed and proved. Costs tell of the first.

    Args:
        first: Inputs, as one call takes them.
        others: Such inputs of other calls: with an argument that lets other parts run, or another
            number of places.
    """

    first: Inputs
    others: tuple[Inputs, ...]

    def __init__(self, first: Inputs, *others: Inputs) -> None:
        for each in (first, *others):
            if isinstance(each, Calls):
                raise TypeError("amc.Calls: inputs of one call are Calls themselves; unpack them")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "others", others)


Inputs = Tensor | tuple[Any, ...] | Mapping[str, Any] | Calls
"""One tensor (batch, ...), a tuple of the forward's arguments, or a mapping of those by name; as
example inputs several of these too."""


def first_call(inputs: Inputs) -> Inputs:
    """Inputs of the one call, or the first of several."""
    return inputs.first if isinstance(inputs, Calls) else inputs


def other_calls(inputs: Inputs) -> tuple[Inputs, ...]:
    """Inputs of all calls but the first."""
    return inputs.others if isinstance(inputs, Calls) else ()


def call(model: nn.Module, inputs: Inputs) -> Any:
    """The network's outputs for these inputs; a list of them for several calls."""
    if isinstance(inputs, Calls):
        return [call(model, one) for one in (inputs.first, *inputs.others)]
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def tensors(value: Any) -> list[Tensor]:
    """All tensors in what a network takes or returns, in order: nested or not."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in _parts(value) for tensor in tensors(part)]


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    if isinstance(value, tuple | list):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return ()


def changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same nested inputs with other tensors."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: changed(item, change) for name, item in value.items()}
    if isinstance(value, Calls):
        return Calls(*(changed(item, change) for item in (value.first, *value.others)))
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    return tuple(changed(item, change) for item in value) if type(value) is tuple else value


def in_double(inputs: Inputs) -> Any:
    """The same inputs with 64 bits a floating-point number."""
    return changed(inputs, lambda one: one.double() if one.is_floating_point() else one)


def samples_of(inputs: Inputs) -> int:
    """How many samples are given: pictures in a list, or what the first tensor's first axis has."""
    inputs = first_call(inputs)
    first = next(iter(_parts(inputs)), inputs)
    if isinstance(first, list):
        return len(first)
    found = tensors(inputs)
    return found[0].shape[0] if found and found[0].dim() else 1


def with_samples(inputs: Inputs, samples: int) -> Any:
    """The same inputs with so many samples: those that are there, over and over.

    Args:
        inputs: Of which tensors whose first axis is that of the samples are changed, and a list of
            pictures; what has no axis of samples stays.
        samples: How many.
    """
    count = samples_of(inputs)
    times = -(-samples // max(1, count))

    def more(tensor: Tensor) -> Tensor:
        if not tensor.dim() or len(tensor) != count:
            return tensor
        return torch.cat([tensor] * times)[:samples]

    def each(value: Any) -> Any:
        listed = isinstance(value, list) and len(value) == count
        return (value * times)[:samples] if listed else changed(value, more)

    if isinstance(inputs, Calls):
        return Calls(*(with_samples(one, samples) for one in (inputs.first, *inputs.others)))
    if isinstance(inputs, Mapping):
        return {name: each(value) for name, value in inputs.items()}
    return tuple(map(each, inputs)) if isinstance(inputs, tuple) else each(inputs)


def shapes(inputs: Inputs) -> str:
    """The shapes of the inputs, for messages."""
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors(inputs))
