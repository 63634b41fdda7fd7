"""Networks that return less: what nobody reads need not stay as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

WHOLE = "returns_everything"
"""Attribute of a class made here: the class that returns everything."""


def returning(model: nn.Module, *names: str | int) -> nn.Module:
    """The same network that returns only some of its outputs; without names all of them again.

    What a network returns cannot be pruned. Those of the transformers package return hidden states
    beside their logits, whose width stays unless it is said that nobody reads them.

    Args:
        model: Left as it is; its modules are shared.
        names: Fields of what it returns, or places in a tuple. One gives that alone, several a
            tuple.

    Returns:
        A network whose modules and weights have the names that they had.
    """
    kind = getattr(type(model), WHOLE, type(model))
    other = copy.copy(model)
    vars(other).update({key: copy.copy(own) for key, own in vars(model).items() if _table(own)})
    other.__class__ = _selecting(kind, names) if names else kind
    return other


def _table(value: object) -> bool:
    """Of modules, parameters, buffers or hooks."""
    return isinstance(value, dict)


def _selecting(kind: type[nn.Module], names: tuple[str | int, ...]) -> type[nn.Module]:
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        made = kind.forward(self, *args, **kwargs)
        chosen = tuple(_chosen(made, name) for name in names)
        return chosen if len(chosen) > 1 else chosen[0]

    own = {"forward": forward, WHOLE: kind, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), own)


def _chosen(made: Any, name: str | int) -> Any:
    try:
        if isinstance(name, int) or isinstance(made, Mapping):
            return made[name]
        return getattr(made, name)
    except (AttributeError, KeyError, IndexError, TypeError):
        fields = made if isinstance(made, Mapping) else getattr(made, "__dict__", {})
        told = f"; it has {', '.join(map(str, fields))}" if fields else ""
        raise ValueError(
            f"returning: the network returns a {type(made).__name__} without {name!r}{told}"
        ) from None
