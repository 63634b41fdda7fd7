"""From words to the settings of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.disk import read_yaml
from experiments.settings.commands import CommandSettings
from experiments.settings.flat import as_written, flags_of, flat, from_flat
from experiments.settings.foreign import check_typed, code_in
from experiments.settings.mistakes import BadFile, Unknown
from experiments.settings.words import Kinds, read_words


def parse(words: Sequence[str], kinds: Kinds) -> CommandSettings:
    """The settings of the command that was asked for.

    Raises:
        Mistake: for words or settings that cannot be understood.
        SystemExit: after help was printed.
    """
    typed = read_words(words, kinds)
    kind, _ = kinds[typed.command]
    named: dict[str, Any] = {}
    for path in typed.files:
        named |= _read_file(path, kind)
    named |= typed.values
    if typed.options:
        named["options"] = _merge(named.get("options", {}), typed.options)
    settings = from_flat(kind, named)
    # Code is imported where a person typed its name, and never because a file has it.
    said = as_written(kind, typed.values)
    check_typed(code_in(flat(settings)), said, f"--config {''.join(typed.files[-1:])}")
    return settings


def _read_file(path: str, kind: type[CommandSettings]) -> dict[str, Any]:
    """Settings of a command from a YAML file.

    Raises:
        Mistake: if it holds none, or one that the command does not know.
    """
    if not Path(path).is_file():
        raise BadFile(path, "no such file; every run saves one as config.yaml")
    try:
        named = read_yaml(Path(path))
    except ValueError as error:
        raise BadFile(path, f"{error}; every run saves a good one as config.yaml") from None
    if not isinstance(named, dict):
        raise BadFile(path, "must hold lines such as `model: resnet20`")
    for name in named:
        if name not in flags_of(kind):
            amc = f"amc {kind.command}"
            raise Unknown("setting", str(name), flags_of(kind), amc, f"--config {path}")
    return named


def _merge(settings: Any, more: Mapping[str, Any]) -> Any:
    """`settings` with `more` put over them, also inside those of one strategy."""
    if not isinstance(settings, dict):
        return settings  # Refused when it is checked.
    both = {
        name: _merge(settings[name], value)
        for name, value in more.items()
        if isinstance(value, dict) and isinstance(settings.get(name), dict)
    }
    return {**settings, **more, **both}
