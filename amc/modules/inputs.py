"""What a network takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

Inputs = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""One tensor (batch, ...), a tuple of the forward's arguments, or a mapping of those by name."""


def call(model: nn.Module, inputs: Inputs) -> Any:
    """The network's outputs for these inputs."""
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


def shapes(inputs: Inputs) -> str:
    """The shapes of the inputs, for messages."""
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors(inputs))
