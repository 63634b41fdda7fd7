"""A journal in memory, which can be full."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from amc.journal import Blank, E, Entry


class MemoryJournal(Blank):
    """Keeps what it is told, until there were so many writes."""

    def __init__(self, room: float = math.inf) -> None:
        self.notes: dict[tuple[str, str], Entry] = {}
        self.states: dict[str, Mapping[str, Tensor]] = {}
        self.room = room

    def recall(self, kind: type[E], key: str) -> Any:
        return self.notes.get((kind.kind, key))

    def recall_state(self, name: str) -> Any:
        found = self.states.get(name)
        return found and {key: tensor.clone() for key, tensor in found.items()}

    def note(self, key: str, entry: Entry) -> None:
        self._use()
        self.notes[entry.kind, key] = entry

    def note_state(self, name: str, state: Mapping[str, Tensor]) -> None:
        self._use()
        self.states[name] = {key: tensor.detach().clone() for key, tensor in state.items()}

    def forget_state(self, name: str) -> None:
        if name in self.states:
            self._use()
            del self.states[name]

    def _use(self) -> None:
        if self.room <= 0:
            raise OSError("full")
        self.room -= 1
