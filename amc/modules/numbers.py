"""Whole numbers that a module's own code reads, alone or in a tuple: a width, or a shape."""

from __future__ import annotations

from typing import Any

from torch import nn

LONGEST = 8
"""Of a tuple or list of numbers that may be a shape."""


def numbers_of(module: nn.Module) -> dict[str, int]:
    """Each number by its name; that of the third of a tuple called shape is "shape[2]"."""
    found: dict[str, int] = {}
    for name, value in vars(module).items():
        if type(value) is int:
            found[name] = value
        elif isinstance(value, tuple | list) and len(value) <= LONGEST:
            own = ((at, one) for at, one in enumerate(value) if type(one) is int)
            found.update((f"{name}[{at}]", one) for at, one in own)
    return found


def set_number(module: nn.Module, name: str, value: int) -> None:
    """In place, by the same names."""
    owner, _, place = name.removesuffix("]").partition("[")
    if not place:
        setattr(module, name, value)
        return
    numbers: Any = list(getattr(module, owner))
    numbers[int(place)] = value
    setattr(module, owner, numbers if isinstance(getattr(module, owner), list) else tuple(numbers))
