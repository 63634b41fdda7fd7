"""Composed settings as flat names, on the command line and in config.yaml, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from inspect import cleandoc
from keyword import iskeyword
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

import yaml

from experiments.disk import write_whole
from experiments.settings.checked import Checked, Part
from experiments.settings.commands import CommandSettings
from experiments.settings.hints import Hint, annotations_of, hint_from
from experiments.settings.mistakes import Missing, Mistake, Unknown

NO_DEFAULT = MISSING

S = TypeVar("S", bound=Checked)


@dataclass(frozen=True)
class Flag:
    """One setting, wherever it stands inside a command's settings.

    Args:
        name: As in config.yaml, and with dashes on the command line.
        part: The field of the command's settings that holds it; empty for the command's own.
        hint: What it may be.
        default: Of this command.
        help: From the class's docstring; the command's own wins over the part's.
        section: Of help.
    """

    name: str
    part: str
    hint: Hint
    default: Any
    help: str
    section: str

    @property
    def field(self) -> str:
        """Its name in the data class, where a word of the language has one more letter."""
        return f"{self.name}_" if iskeyword(self.name) else self.name

    def plain(self, settings: object) -> Any:
        """The value in these settings, as config.yaml has it."""
        value = getattr(getattr(settings, self.part) if self.part else settings, self.field)
        if self.hint.way == "list":
            return ",".join(map(str, value))
        if isinstance(value, tuple):
            return list(value)
        return value if value is None or isinstance(value, PLAIN) else str(value)

    def read(self, value: Any) -> Any:
        """A value as the setting's type, where a text stands for it; all else as it is."""
        kinds = self.hint.kinds
        if isinstance(value, list) and tuple in kinds:
            return tuple(value)
        if isinstance(value, dict):
            _check_names(self.name, value)
        if not isinstance(value, str):
            return value
        if value == "null" and NoneType in kinds:
            return None  # As in a file, and to take back what a file says.
        if self.hint.way == "list":
            return tuple(word.strip() for word in value.split(",")) if value.strip() else ()
        if bool in kinds:
            return {"true": True, "false": False}.get(value.lower(), value)
        if dict in kinds:
            return _table(value)
        return _number(value) if int in kinds or float in kinds else value


PLAIN = (bool, int, float, str, dict)
"""That YAML and JSON have; other values have a text."""


def _check_names(name: str, value: Mapping[Any, Any]) -> None:
    for key in value:
        if not isinstance(key, str):
            raise Mistake(f"{name}: {key!r} is not a name; write lines such as `updates: 5`")


def _table(text: str) -> Any:
    """The object that a text says in JSON, in place of all options of a file; else the text."""
    try:
        made = json.loads(text)
    except ValueError:
        return text
    return made if isinstance(made, dict) else text


def _number(text: str) -> int | float | str:
    """The number that a text says, as YAML writes it too; else the text."""
    plain = text.replace(".inf", "inf").replace(".nan", "nan").replace("_", " ")
    try:
        return int(plain) if plain.strip("+- ").isdecimal() else float(plain)
    except ValueError:
        return text


def flags_of(kind: type[Checked]) -> Mapping[str, Flag]:
    """All settings of a command, or of a part, by name.

    Raises:
        TypeError: if two parts have a setting of one name.
    """
    plain: Any = kind  # mypy takes no class of data classes for hashable.
    return _flags_of(plain)


@cache
def _flags_of(kind: Any) -> Mapping[str, Flag]:
    found = list(_flags(kind))
    made = {one.name: one for one in found}
    if len(made) < len(found):
        raise TypeError(f"two parts of {kind.__name__} have a setting of one name")
    return made


def _flags(kind: Any) -> Iterator[Flag]:
    own, known = descriptions(kind), annotations_of(kind)
    for item in fields(kind):
        hint, default = known[item.name], item.default
        if item.default_factory is not MISSING:
            default = item.default_factory()
        if not isinstance(default, Part):
            help_ = own[item.name]
            yield Flag(_typed(item.name), "", hint_from(hint), default, help_, kind.section)
            continue
        part: Any = type(default)
        words = {**descriptions(part), **own}
        for name, inner in annotations_of(part).items():
            value = getattr(default, name)
            hint = hint_from(inner)
            yield Flag(_typed(name), item.name, hint, value, words[name], default.section)


def _typed(name: str) -> str:
    """As a setting is typed."""
    return name.removesuffix("_")


def descriptions(kind: type) -> Mapping[str, str]:
    """What the section Args of a class's docstring says of each setting."""
    words: dict[str, list[str]] = {}
    name = ""
    for line in cleandoc(kind.__doc__ or "").partition("Args:\n")[2].splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 4:
            name, _, rest = line.strip().partition(": ")
            words[name] = [rest]
        elif depth > 4 and name:
            words[name].append(line.strip())
    return {name: " ".join(lines) for name, lines in words.items()}


def flat(settings: CommandSettings | Part) -> dict[str, Any]:
    """All settings by name, as plain data."""
    return {name: one.plain(settings) for name, one in flags_of(type(settings)).items()}


def from_flat(kind: type[S], named: Mapping[str, Any], *, others: bool = False) -> S:
    """Settings from flat names; what is left out is at the command's default.

    Args:
        kind: Of a command, or of a part alone.
        named: Values by name: plain data, or texts that numbers are read from.
        others: Pass over what is no setting.

    Raises:
        Mistake: naming the first wrong setting.
    """
    flags = flags_of(kind)
    parts: dict[str, dict[str, Any]] = {"": {}}
    for name, value in named.items():
        if name in flags:
            one = flags[name]
            parts.setdefault(one.part, {})[one.field] = one.read(value)
        elif not others:
            raise Unknown("setting", str(name), flags, "amc")
    own = parts.pop("")
    for name, one in flags.items():
        if one.default is NO_DEFAULT and one.field not in own:
            raise Missing(name, f"amc {getattr(kind, 'command', '')}")
    whole = {
        item.name: replace(item.default_factory(), **parts[item.name])
        for item in fields(kind)
        if item.name in parts and item.default_factory is not MISSING
    }
    return kind(**own, **whole)


def as_written(kind: type[CommandSettings], named: Mapping[str, Any]) -> dict[str, Any]:
    """Plain settings in the words of this release; what it cannot read stays as it is."""

    def written(name: str, value: Any) -> Any:
        try:
            return flat(from_flat(kind, {name: value}))[name]
        except Mistake:
            return value

    return {name: written(name, value) for name, value in named.items()}


def save_config(config: CommandSettings, path: Path) -> None:
    """Write the settings as YAML that `--config` reads back, and that overwrites nothing then."""
    named = {name: value for name, value in flat(config).items() if name != "overwrite"}
    write_whole(path, yaml.safe_dump(named, sort_keys=False))


def split_words(text: str) -> list[str]:
    """Words that a setting separates by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def run_folder(strategy: str) -> str:
    """What a benchmark calls the folder of a strategy's run."""
    return strategy.replace(":", ".")


def benchmark_runs(strategies: Sequence[str], seed: int, seeds: int) -> list[tuple[str, int, str]]:
    """Strategy, seed and folder of every run of a benchmark, seed by seed.

    Folders of the first seed have no number, so that more seeds can be asked for later.

    Args:
        strategies: Their names.
        seed: The first one.
        seeds: How many there are.
    """
    return [
        (name, own, run_folder(name) + (f"-seed{own}" if own > seed else ""))
        for own in range(seed, seed + seeds)
        for name in strategies
    ]
