"""Code of the user's own: what it raises says whose it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from amc.devices import out_of_memory

END = object()
"""What comes behind the last batch."""


class TaskError(ValueError):
    """A function of the user's own failed."""


def reading(data: Iterable[Any]) -> Iterator[Any]:
    """The batches of the user's data.

    Raises:
        TaskError: if it fails on the way.
    """
    batches = iter(data)
    while True:
        with own_code("a loader", "its next batch"):
            batch = next(batches, END)
        if batch is END:
            return
        yield batch


@contextmanager
def own_code(name: str, where: str, function: object = None) -> Iterator[None]:
    """What the user's function of this name raises within says which one it was.

    Args:
        name: Of the function.
        where: What it was called with, in words.
        function: It, where it may be one of ours, whose own words say enough.

    Raises:
        TaskError: in place of what it raised, but for want of memory and numbers out of range.
    """
    try:
        yield
    except (FloatingPointError, TaskError):
        raise
    except Exception as error:
        plain = getattr(function, "func", function)
        ours = str(getattr(plain, "__module__", "")).startswith("amc.")
        if (ours and isinstance(error, ValueError)) or out_of_memory(error):
            raise
        raise TaskError(
            f"task: {name} fails on {where} ({type(error).__name__}: {error})"
        ) from error
