"""Code of a person's own: imported where a command names it, and never because a file does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

NETWORK = ("model", "dataset", "task")
"""Settings that can name code as package.module:function, of every command."""

PLAIN = {"dataset": ("folder:",), "model": ("timm:", "torchvision:", "transformers:")}
"""What has a colon and is no code of a person's own."""

PLACES = (*NETWORK, "strategy", "strategies", "runtime")
"""The same, of commands that search as well."""


def code_in(settings: Mapping[str, Any], places: tuple[str, ...] = PLACES) -> dict[str, str]:
    """Those settings that name code, among these."""
    return {
        place: settings[place]
        for place in places
        if ":" in str(settings.get(place, ""))
        and not str(settings[place]).startswith(PLAIN.get(place, ()))
    }


def code_flags(code: Mapping[str, str]) -> list[str]:
    """Settings as flags, ready to paste into a shell."""
    return [f"--{place} {shlex.quote(name)}" for place, name in code.items()]


def check_typed(code: Mapping[str, str], typed: Mapping[str, Any], where: object) -> None:
    """Refuse code that a file names and the command does not.

    Args:
        code: What the file names.
        typed: What the command does.
        where: The file.

    Raises:
        ValueError: telling the flags that are to be added.
    """
    untold = {place: name for place, name in code.items() if typed.get(place) != name}
    if untold:
        raise ValueError(
            f"{where} names code that would be imported and run, and a file alone cannot ask for "
            f"that; where you trust it, add {' '.join(code_flags(untold))}"
        )


def check_network(
    own: Mapping[str, Any],
    typed: Mapping[str, Any],
    run: object,
    where: object,
    unset: Mapping[str, Any] | None = None,
) -> None:
    """Refuse another network or data set than a run's own, and code that only the run names.

    Args:
        own: The run's settings.
        typed: What the command names.
        run: The run's folder.
        where: The file that has its settings.
        unset: What stands for a flag that was left out; without it, None.

    Raises:
        ValueError: telling the flags that are to be left out or added.
    """
    for place in NETWORK:
        given = typed.get(place)
        if given not in ((unset or {}).get(place), own.get(place)):
            raise ValueError(
                f"--{place} is {given}, but the run in {run} is of {own.get(place)}; leave the "
                "flag out"
            )
    check_typed(code_in(own, NETWORK), typed, where)
