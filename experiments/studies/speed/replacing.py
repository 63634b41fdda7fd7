"""Another function in place of one of ours, wherever that is known by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ROOMS = ("amc", "envs", "agents", "netadapt", "experiments")


@contextmanager
def replace_function(
    function: Callable[..., Any], by: Callable[..., Any], within: tuple[str, ...] = ROOMS
) -> Iterator[None]:
    """Within, every module of ours that has the function has the other one instead.

    Args:
        function: Of a module; a method is known by its class alone.
        by: What takes its place.
        within: Packages whose modules are looked through.
    """
    known = [(holder, name) for holder in _modules(within) for name in _names(holder, function)]
    for holder, name in known:
        setattr(holder, name, by)
    try:
        yield
    finally:
        for holder, name in known:
            setattr(holder, name, function)


def _modules(within: tuple[str, ...]) -> list[Any]:
    loaded = list(sys.modules.items())
    return [
        module for name, module in loaded if f"{name}.".startswith(tuple(f"{p}." for p in within))
    ]


def _names(module: Any, function: object) -> list[str]:
    return [name for name, value in vars(module).items() if value is function]
