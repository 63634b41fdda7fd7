"""JSON that may come from anywhere, as plain data."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """What a JSON text holds: numbers may be NaN or infinite, and whoever asks checks the rest.

    Raises:
        ValueError: if it is not JSON, says a key twice or is nested too deeply; gives the reason,
            without where the text is from.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON (line {error.lineno})") from None
    except UnicodeDecodeError:
        raise ValueError("not text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        # Python reads no whole numbers of more digits, and says how many.
        reason = "a number of more than 4300 digits" if "digits" in str(error) else str(error)
        raise ValueError(f"not valid JSON ({reason})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands there twice, readers would take one or the other."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made
