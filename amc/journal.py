"""Where finished work is noted, so that a search that was cut short does not do it twice.

Everything here is deterministic given its seed, so that the same search, made again with a journal
that answers for what was done before, is the same search: agents, replay and generators come to
where they were without being saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from torch import Tensor

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Entry:
    """A piece of finished work, as plain data that JSON can hold; each kind is a class of its own.

    Attributes:
        kind: What a file calls it: one word.
    """

    kind: ClassVar[str]


E = TypeVar("E", bound=Entry)


class Journal(Protocol):
    """Entries, each under a key that is its own among those of its kind, and states of networks."""

    def recall(self, kind: type[E], key: str) -> E | None:
        """The entry of this kind and key; None where there is none."""
        ...

    def note(self, key: str, entry: Entry) -> None:
        """Note an entry; it lasts from when this returns.

        Raises:
            OSError: if it cannot be written.
        """
        ...

    def recall_state(self, name: str) -> State | None:
        """The tensors stored last under this name, strides included; None where there are none.

        They are the caller's own, to be changed at will.
        """
        ...

    def note_state(self, name: str, state: State) -> None:
        """Store tensors whole, or leave those of before.

        Raises:
            OSError: if they cannot be written.
        """
        ...

    def forget_state(self, name: str) -> None:
        """Drop the tensors of this name, which nothing needs any more."""
        ...


class Blank:
    """A journal that keeps nothing."""

    def recall(self, kind: type[E], key: str) -> E | None:
        """Nothing was noted."""

    def note(self, key: str, entry: Entry) -> None:
        """Keep nothing."""

    def recall_state(self, name: str) -> None:
        """Nothing was stored."""

    def note_state(self, name: str, state: State) -> None:
        """Keep nothing."""

    def forget_state(self, name: str) -> None:
        """There is nothing to drop."""


BLANK = Blank()


@dataclass(frozen=True)
class Checkpoint:
    """One state of a journal."""

    journal: Journal
    name: str

    def load(self) -> State | None:
        """What was saved last; None where nothing was."""
        return self.journal.recall_state(self.name)

    def save(self, state: State) -> None:
        """Save it whole, or leave what was there."""
        self.journal.note_state(self.name, state)


@dataclass(frozen=True)
class Named:
    """A part of a journal for one of several that do the same: all that it notes bears its name.

    Args:
        journal: The whole.
        name: Of the part.
    """

    journal: Journal
    name: str

    def recall(self, kind: type[E], key: str) -> E | None:
        """See `Journal`."""
        return self.journal.recall(kind, f"{self.name} {key}")

    def note(self, key: str, entry: Entry) -> None:
        """See `Journal`."""
        self.journal.note(f"{self.name} {key}", entry)

    def recall_state(self, name: str) -> State | None:
        """See `Journal`."""
        return self.journal.recall_state(f"{self.name} {name}")

    def note_state(self, name: str, state: State) -> None:
        """See `Journal`."""
        self.journal.note_state(f"{self.name} {name}", state)

    def forget_state(self, name: str) -> None:
        """See `Journal`."""
        self.journal.forget_state(f"{self.name} {name}")
