"""Arguments of functions as a person types them: name=value, several with commas."""

from __future__ import annotations

import re
from typing import Any

PLAIN = {"true": True, "false": False, "none": None}


def read_arguments(text: str) -> dict[str, Any]:
    """Each value as a whole number, a number, a truth value, nothing ("none") or a text."""
    pairs = [one.partition("=") for one in text.split(",")] if text else []
    return {name.strip(): _value(value.strip()) for name, _, value in pairs}


def _value(text: str) -> Any:
    if text.lower() in PLAIN:
        return PLAIN[text.lower()]
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    return float(text) if re.fullmatch(NUMBER, text) else text


NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
"""With a point, an exponent, or both."""
