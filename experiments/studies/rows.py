"""What a study has found so far, line by line in a file, so that no stop loses any of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amc.parsing import read_json
from experiments.disk import append_lines, whole_lines, write_whole

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Rows:
    """The file of a study.

    Args:
        path: Of the file; its folder is made when a row is added.
        keys: What tells one row from another; of rows that are alike in them the last counts.
    """

    path: Path
    keys: tuple[str, ...]

    def known(self) -> dict[Key, dict[str, Any]]:
        """The rows that are there, by the values of their keys."""
        lines = map(read_json, whole_lines(self.path)) if self.path.is_file() else ()
        return {tuple(line[key] for key in self.keys): line for line in lines}

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one down, at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_lines(self.path, [json.dumps(dict(row))])

    def forget(self) -> None:
        """Begin anew."""
        if self.path.is_file():
            write_whole(self.path, "")
