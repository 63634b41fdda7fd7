"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def on_demand(package: str, places: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """What a package's `__getattr__` is to be (PEP 562).

    Args:
        package: Its name.
        places: The names that each of its modules has.
    """
    place_of = {name: place for place, names in places.items() for name in names}

    def found(name: str) -> object:
        if name not in place_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{place_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return found
