"""Settings by their flat names, for tests."""

from __future__ import annotations

from typing import Any, TypeVar

from experiments.settings import CommandSettings, flat, from_flat

S = TypeVar("S", bound=CommandSettings)


def settings_of(kind: type[S], **named: Any) -> S:
    """Settings of a command; what is not named is at its default."""
    return from_flat(kind, named)


def changed(config: S, **named: Any) -> S:
    """The same settings but for these."""
    return from_flat(type(config), {**flat(config), **named})
