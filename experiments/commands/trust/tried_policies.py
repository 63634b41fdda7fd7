"""Policies that are fine-tuned already, one a line, so that what was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amc.parsing import read_json, read_record
from experiments.disk import append_lines, whole_lines
from experiments.runs import Tried, of_samples


class Journal:
    """What was tried on certain terms.

    Args:
        path: Of the file; lines made on other terms stay in it and are passed over.
        terms: All that results hang on, as JSON has it.

    Attributes:
        damaged: Lines that `known` could not read; what they told is done again.
    """

    def __init__(self, path: Path, terms: Mapping[str, Any]) -> None:
        self._path, self.damaged = path, 0
        self._terms = json.loads(json.dumps(terms))

    def add(self, tried: Tried) -> None:
        """Write one policy down."""
        append_lines(self._path, [json.dumps({"terms": self._terms, **asdict(tried)})])

    def recall(self) -> dict[tuple[int, ...], Tried]:
        """What is there, by kept counts."""
        found = (self._tried(line) for line in whole_lines(self._path))
        return {tried.kept: tried for tried in found if tried is not None}

    def _tried(self, line: str) -> Tried | None:
        """None for a line on other terms, and for one that cannot be read, which is counted."""
        try:
            entry = read_json(line)
            terms = of_samples(entry.pop("terms"))
            tried = read_record(Tried, entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            self.damaged += 1
            return None
        return tried if terms == self._terms else None
