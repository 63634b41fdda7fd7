"""What can be wrong with settings, as data; the sentence is made here and nowhere taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class Mistake(ValueError):  # noqa: N818
    """Settings or words that cannot be understood."""


def flag_name(setting: str) -> str:
    """How a setting is typed."""
    return "--" + setting.replace("_", "-")


@dataclass(eq=False)
class WrongValue(Mistake):
    """A setting that is not what it must be."""

    name: str
    value: object
    wanted: str

    def __str__(self) -> str:
        if self.value == "":
            return f"{flag_name(self.name)} is empty; give a value, or leave it out"
        if self.value is None:
            return f"{self.name}: null is no value for it; give one, or leave it out"
        shown = repr(self.value)
        shown = shown if len(shown) <= 60 else shown[:60] + "…"
        return f"{flag_name(self.name)} is {shown}; it must be {self.wanted}"


@dataclass(eq=False)
class NoValue(Mistake):
    """A flag that ends where its value should be."""

    typed: str
    command: str

    def __str__(self) -> str:
        return f"{self.typed} needs a value; see {self.command} --help"


@dataclass(eq=False)
class Unknown(Mistake):
    """A name that is none of the known ones: what is "flag", "setting" or "command"."""

    what: str
    typed: str
    known: Iterable[str]
    command: str
    where: str = ""

    def __str__(self) -> str:
        at = f"{self.where}: " if self.where else ""
        names = list(self.known)
        begun = [name for name in names if name.startswith(self.typed)]
        close = begun or get_close_matches(self.typed, names, n=1)
        meant = f"did you mean {close[0]}? Else " if close else ""
        shown = self.typed if self.what == "flag" else repr(self.typed)
        return f"{at}unknown {self.what} {shown}; {meant}see {self.command} --help"


@dataclass(eq=False)
class Missing(Mistake):
    """What must be given and is not."""

    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.name.upper()} is missing; see {self.command} --help"


@dataclass(eq=False)
class Stray(Mistake):
    """A word too many."""

    word: str
    command: str

    def __str__(self) -> str:
        return f"do not know what to do with {self.word!r}; see {self.command} --help"


@dataclass(eq=False)
class TooEarly(Mistake):
    """A flag before the command."""

    typed: str

    def __str__(self) -> str:
        return (
            f"{self.typed} comes before a command; write amc COMMAND {self.typed}, and see "
            "amc --help"
        )


@dataclass(eq=False)
class BadFile(Mistake):
    """A file of --config that cannot be used."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"--config {self.path}: {self.reason}"
