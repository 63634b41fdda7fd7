"""Lines of a file that are told apart by keys, each on the disk as soon as it is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from amc.parsing import read_json
from experiments.disk.files import append_lines, whole_lines, write_whole

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Rows:
    """A file of JSON that only grows, read once.

    Args:
        path: Of the file; its folder is made when a row is added.
        keys: What tells one row from another; of rows that are alike in them the last counts.
    """

    path: Path
    keys: tuple[str, ...]

    @cached_property
    def _held(self) -> dict[Key, dict[str, Any]]:
        return {self._key(line): line for line in map(read_json, whole_lines(self.path))}

    def _key(self, line: Mapping[str, Any]) -> Key:
        return tuple(line[key] for key in self.keys)

    def known(self) -> Mapping[Key, dict[str, Any]]:
        """The rows that are there, by the values of their keys."""
        return self._held

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Write some down, at once."""
        lines, held = [json.dumps(dict(row)) for row in rows], self._held
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_lines(self.path, lines)
        held.update({self._key(line): line for line in map(read_json, lines)})

    def forget(self) -> None:
        """Begin anew."""
        if self.path.is_file():
            write_whole(self.path, "")
        self._held.clear()
