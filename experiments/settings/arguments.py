"""Words on a command line as settings, and what is said of words that cannot be understood."""

from __future__ import annotations

import json
import re
from argparse import HelpFormatter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from experiments.disk import read_yaml
from experiments.settings.config import ReportConfig, RunsConfig, Settings, TrustConfig
from experiments.settings.foreign import check_typed, code_in

Kinds = Mapping[str, tuple[type, str]]
"""For each command the class of its settings, and what it does."""

FILE_HELP = "YAML file with any of these settings; flags override it."


SWITCHES = ("--overwrite", "--tensorboard")
"""Flags that mean true where nothing follows them."""

MAY_BE_EMPTY = ("budget", "exclude")
"""Settings that say something by naming nothing."""


class UsageError(Exception):
    """Arguments that cannot be understood."""


class Parser(ArgumentParser):
    """Answers bad arguments with an exception of one line, and writes flags with dashes."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise `UsageError`; jsonargparse would print the whole usage."""
        raise UsageError(_plain(message)) from ex

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        """Flags are named after the fields of the settings, but typed with dashes."""
        text = super().format_help(formatter)
        return re.sub(r"--[a-z_]+", lambda flag: flag[0].replace("_", "-"), text)


def parse(words: list[str], kinds: Kinds) -> tuple[str, Any]:
    """The command that was asked for, with its settings.

    Raises:
        UsageError: for words that cannot be understood.
        ValueError: for a setting out of its range.
        SystemExit: after help was printed.
    """
    words = _with_truths([_underscored(word) for word in words])
    parser = Parser(
        prog="amc",
        description="Finds how much of each layer of a PyTorch network to prune.",
        epilog="amc COMMAND --help explains a command; --debug shows where an error came from.",
    )
    commands = parser.add_subcommands(title="commands", dest="command", metavar="COMMAND")
    known = {}
    for name, (kind, about) in kinds.items():
        known[name] = _parser_of(kind, about)
        commands.add_subcommand(name, known[name], help=about)
    if not words:
        parser.print_help()
        raise SystemExit(2)
    if words[0] not in (*known, "-h", "--help"):
        raise UsageError(_no_command(words[0], kinds))
    if words[0] in known:
        words = [words[0], *_joined("--budget", _file_first(words[1:]))]
        _check_flags(words[1:], known[words[0]], words[0])
        _check_file(words[1:], known[words[0]], words[0])
    words, options = _without_options(words)
    parsed = parser.parse_args(words)
    chosen = parsed.pop("command")
    config = _config_of(kinds[chosen][0], parsed[chosen], options)
    typed = _typed(words)
    check_typed(code_in(vars(config)), typed, f"--config {typed.get('config')}")
    return chosen, config


def _typed(words: list[str]) -> Settings:
    """Values of flags, as far as words alone tell."""
    pairs = zip_longest(words, words[1:], fillvalue="")
    parted = ((*word.partition("="), after) for word, after in pairs)
    return {flag[2:]: value if equals else after for flag, equals, value, after in parted}


def _underscored(word: str) -> str:
    """--round-to 8 for the field round_to; what follows a dot may be the name of a strategy."""
    if not word.startswith("--"):
        return word
    flag = re.split("[=.]", word, maxsplit=1)[0]
    return "--" + flag[2:].replace("-", "_") + word[len(flag) :]


def _with_truths(words: list[str]) -> list[str]:
    """--overwrite alone for --overwrite true."""
    alone = [
        word in SWITCHES and after.lower() not in ("true", "false")
        for word, after in zip_longest(words, words[1:], fillvalue="")
    ]
    return [f"{w}=true" if bare else w for w, bare in zip(words, alone, strict=True)]


def _file_first(words: list[str]) -> list[str]:
    """--config FILE before all flags, which then override it wherever they stand."""
    first: list[str] = []
    rest: list[str] = []
    follows = False
    for word in words:
        is_file = follows or word.partition("=")[0] == "--config"
        (first if is_file else rest).append(word)
        follows = word == "--config"
    return first + rest


def _joined(flag: str, words: list[str]) -> list[str]:
    """One flag with all values, separated by commas, where it is given several times."""
    rest: list[str] = []
    values: list[str] = []
    coming = iter(words)
    for word in coming:
        name, equals, value = word.partition("=")
        if name != flag:
            rest.append(word)
        elif equals:
            values.append(value)
        else:
            values += [next(coming, "--")]
    if any(value.startswith("--") for value in values):
        return words  # one without a value, which is refused later
    return [*rest, *([flag, ",".join(values)] if values else [])]


def _no_command(word: str, kinds: Kinds) -> str:
    """What to say where the first word should be a command and is not."""
    if word.startswith("-"):
        return f"{word} comes before a command; write amc COMMAND {word}, and see amc --help"
    return f"unknown command {word!r}{_hint(word, kinds)}see amc --help"


def _parser_of(kind: type, about: str) -> Parser:
    parser = Parser(description=about + ".")
    if kind is ReportConfig:
        parser.add_argument("runs", nargs="+", help="Run folders, or a benchmark's folder.")
        parser.add_argument("--out", help="HTML file; left out, report.html in the first folder.")
        return parser
    if kind is RunsConfig:
        about_folder = "Folder that holds runs, however deep."
        parser.add_argument("folder", nargs="?", default="runs", help=about_folder)
        return parser
    parser.add_argument("--config", action="config", help=FILE_HELP)
    optional = {"run"} if kind is TrustConfig else set[str]()
    for name in optional:
        parser.add_argument(
            name, nargs="?", help="Run folder of a search; left out, policies are drawn."
        )
    parser.add_class_arguments(kind, as_group=False, as_positional=True, skip=optional)
    return parser


def _without_options(words: list[str]) -> tuple[list[str], Settings]:
    """Other words, and what is given as --options.NAME VALUE or --options.STRATEGY.NAME VALUE.

    jsonargparse keeps only the last of several settings of one strategy.
    """
    rest: list[str] = []
    options: Settings = {}
    coming = iter(words)
    for word in coming:
        flag, equals, value = word.partition("=")
        if not flag.startswith("--options."):
            rest.append(word)
            continue
        if not equals and (value := next(coming, "--")).startswith("--"):
            raise UsageError(f"{flag} needs a value; see amc COMMAND --help")
        strategy, _, name = flag.removeprefix("--options.").rpartition(".")
        place = options.setdefault(strategy, {}) if strategy else options
        place[name] = _value(value)
    return rest, options


def _value(text: str) -> Any:
    """A number, a truth value or a list where it reads as one in JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _merged(settings: Settings, more: Settings) -> Settings:
    """`settings` with `more` put over them, also inside those of one strategy."""
    both = {
        name: _merged(settings[name], value)
        for name, value in more.items()
        if isinstance(value, dict) and isinstance(settings.get(name), dict)
    }
    return {**settings, **more, **both}


def _config_of(kind: type, parsed: Namespace, options: Settings) -> Any:
    names = {item.name for item in fields(kind)}
    values = {name: value for name, value in parsed.as_dict().items() if name in names}
    _check_nulls(kind, values)
    _check_empty(values)
    if options:
        values["options"] = _merged(values["options"], options)
    return kind(**values)


def _check_nulls(kind: type, values: Settings) -> None:
    """Only settings that may be left without a value may be null.

    Raises:
        UsageError: for the first other one that is.
    """
    hints = get_type_hints(kind)
    for item in fields(kind):
        if values.get(item.name, "") is None and type(None) not in get_args(hints[item.name]):
            raise UsageError(f"{item.name}: null is no value for it; give one, or leave it out")
    for key in values.get("options") or {}:
        if not isinstance(key, str):
            raise UsageError(f"options: {key!r} is not a name; write lines such as `updates: 5`")


def _check_empty(values: Settings) -> None:
    """Names of files, folders, networks and the like are not empty: no path is the folder here.

    Raises:
        UsageError: for the first one that is.
    """
    for name, value in values.items():
        if value == "" and name not in MAY_BE_EMPTY:
            raise UsageError(f"--{name.replace('_', '-')} is empty; give a value, or leave it out")


def _check_flags(words: list[str], parser: Parser, command: str) -> None:
    known = {flag for action in parser._actions for flag in action.option_strings}
    for word in words:
        flag = word.partition("=")[0]
        root = flag.partition(".")[0]
        if flag.startswith("--") and root not in known:
            hint = _hint(flag, known).replace("_", "-")
            typed = flag.replace("_", "-")
            raise UsageError(f"unknown flag {typed}{hint}see amc {command} --help")


def _check_file(words: list[str], parser: Parser, command: str) -> None:
    """See that each file of --config holds settings of this command."""
    for word, after in zip_longest(words, words[1:]):
        flag, equals, path = word.partition("=")
        if flag == "--config" and (equals or after is not None):
            _check_settings(path if equals else str(after), parser, command)


def _check_settings(path: str, parser: Parser, command: str) -> None:
    if not Path(path).is_file():
        raise UsageError(f"--config {path}: no such file; every run saves one as config.yaml")
    try:
        settings = read_yaml(Path(path))
    except ValueError as error:
        raise UsageError(f"--config {path}: {error}; see amc {command} --help") from error
    if not isinstance(settings, dict):
        raise UsageError(f"--config {path}: must hold lines such as `model: resnet20`")
    known = {action.dest for action in parser._actions}
    for name in settings:
        if name not in known:
            hint = _hint(str(name), known)
            raise UsageError(
                f"--config {path}: unknown setting {name!r}{hint}see amc {command} --help"
            )


def _hint(word: str, known: Iterable[str]) -> str:
    names = list(known)
    begun = [name for name in names if name.startswith(word)]
    close = begun or get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]}? Else " if close else "; "


_TYPES = {
    "bool": "true or false",
    "dict": "named settings, as in --options.NAME VALUE",
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
}


def _plain(message: str) -> str:
    """jsonargparse's words in ours."""
    message = one_line(message)
    wrong = re.search(r'key "([\w.]+)": Expected a <class \'(\w+)\'>. Got value: (.*)', message)
    if wrong:
        return _wrong(wrong[1], wrong[3], wrong[2])
    either = re.search(
        r'key "([\w.]+)": .* Union .*?<class \'(\w+)\'>.* Given value: (.*)', message
    )
    if either:
        return _wrong(either[1], either[3], either[2])
    missing = re.search(r"arguments are required: (.*)", message)
    if missing:
        return f"{missing[1].rpartition('.')[2].upper()} is missing; see amc COMMAND --help"
    strange = re.search(r"unrecognized arguments: (\S+)", message)
    if strange:
        return f"do not know what to do with {strange[1]!r}; see amc COMMAND --help"
    empty = re.search(r"argument (--[\w.]+): expected", message)
    if empty:
        return f"{empty[1].replace('_', '-')} needs a value; see amc COMMAND --help"
    return message


def _wrong(key: str, value: str, wanted: str) -> str:
    flag = "--" + key.rpartition(".")[2].replace("_", "-")
    return f"{flag} is {value!r}; it must be {_TYPES.get(wanted, wanted)}"


def one_line(message: str) -> str:
    """The message without line breaks."""
    return " ".join(message.split())
