"""Numbers out of their range, told in one way."""

from __future__ import annotations


def check(owner: str, name: str, value: object, good: bool, wanted: str) -> None:
    """Refuse a setting that is not `good`.

    Args:
        owner: Whose setting it is, for the message.
        name: Of the setting.
        value: What it is.
        good: Whether it may be that.
        wanted: What it must be, in words.

    Raises:
        ValueError: naming all of them.
    """
    if not good:
        raise ValueError(f"{owner}: {name} is {value}; it must be {wanted}")
