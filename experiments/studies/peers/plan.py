"""What is run: plain data, which one interpreter hands to another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

KEYS = ("network", "target", "contender", "seed")
"""What tells one row of the file from another."""


@dataclass(frozen=True)
class Plan:
    """Which cells are run, and where they are kept.

    Args:
        networks: Names.
        targets: Parts of the unpruned network's time.
        contenders: Names.
        seeds: From 0 on.
        out: File of rows.
        runs: Folder of what contenders leave.
    """

    networks: tuple[str, ...]
    targets: tuple[float, ...]
    contenders: tuple[str, ...]
    seeds: int
    out: str
    runs: str

    def written(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Plan:
        """From `written`."""
        given = json.loads(text)
        lists = {name: tuple(given[name]) for name in ("networks", "targets", "contenders")}
        return cls(**{**given, **lists})
