"""Words on a command line as names with texts, and help: what click does for `amc`.

click only takes words apart; every value stays a text, which the settings themselves read and
check, as they do with those of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from experiments.settings.commands import CommandSettings
from experiments.settings.flat import NO_DEFAULT, Flag, flags_of
from experiments.settings.mistakes import (
    Missing,
    Mistake,
    NoValue,
    Stray,
    TooEarly,
    Unknown,
    flag_name,
)

Kinds = Mapping[str, tuple[type[CommandSettings], str]]
"""For each command the class of its settings, and what it does."""

ABOUT = "Finds how much of each layer of a PyTorch network to prune."
MORE = "amc COMMAND --help explains a command; --debug shows where an error came from."
FILE = "YAML file with any of these settings; flags override it."
DEBUG = "Show where an error came from."
OPTION = "--options."
WIDTH = 100
"""Of help at most, in letters."""


@dataclass(frozen=True)
class Words:
    """What was typed.

    Args:
        command: Its name.
        values: Texts by setting; of a flag given again the last one, or all with commas between
            where it is a list.
        options: Of --options.NAME and --options.STRATEGY.NAME.
        files: Of --config, in order.
    """

    command: str
    values: Mapping[str, Any]
    options: Mapping[str, Any]
    files: Sequence[str]


def read_words(words: Sequence[str], kinds: Kinds) -> Words:
    """The command, and what follows it.

    Raises:
        Mistake: for the first word that cannot be understood.
        SystemExit: after help was printed.
    """
    options = [word.partition("=")[0] for word in words if word.startswith(OPTION)]
    amc = Commands(
        "amc",
        {name: Command(name, *kind, options) for name, kind in kinds.items()},
        params=[_debug()],
        help=ABOUT,
        epilog=MORE,
        no_args_is_help=True,
        subcommand_metavar="COMMAND [FLAGS]",
        options_metavar="",
        context_settings={"max_content_width": WIDTH, "help_option_names": ["-h", "--help"]},
    )
    try:
        found = amc.main(list(words), "amc", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        raise SystemExit(2) from None
    except click.UsageError as error:
        raise _mistake(error, kinds) from None
    if not isinstance(found, Words):
        raise SystemExit(found)  # The code with which help ends.
    return found


class Commands(click.Group):
    """All commands, in the order of work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names; click would sort them."""
        return list(self.commands)


class Value(click.ParamType[str]):
    """A text that is no flag itself."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text.

        Raises:
            click.BadOptionUsage: if another flag follows where the value should be.
        """
        if value.startswith("--") and param is not None:
            raise click.BadOptionUsage(param.opts[0], "no value", ctx)
        return value


class Command(click.Command):
    """One command with a flag for each of its settings, and its help in sections."""

    def __init__(
        self, name: str, kind: type[CommandSettings], about: str, options: Sequence[str]
    ) -> None:
        flags = flags_of(kind)
        self._options = {
            f"options_{number}": flag.removeprefix(OPTION)
            for number, flag in enumerate(dict.fromkeys(options))
            if "options" in flags and flag.rpartition(".")[2] and "/" not in flag
        }
        self._sections = _sections(kind, flags.values())
        words = [_parameter(one) for one in flags.values() if one.hint.way == "word"]
        more = [
            click.Option([key, OPTION + option], type=Value(), hidden=True)
            for key, option in self._options.items()
        ]
        general: list[click.Parameter] = [_debug()]
        if kind.reads_file:
            file = click.Option(
                ["--config"], type=Value(), multiple=True, metavar="FILE", help=FILE
            )
            general.insert(0, file)
        self._flags, self._general = flags, general
        super().__init__(
            name,
            params=[*words, *(one for _, rows in self._sections for one in rows), *more, *general],
            help=f"{about}.",
            options_metavar="[FLAGS]",
            context_settings={
                "allow_extra_args": True,
                "token_normalize_func": lambda token: token.replace("_", "-"),
            },
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ever, but what is wrong always knows where."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> Words:
        """What was typed, in place of the callback that commands of click have.

        Raises:
            Stray: for a word too many.
        """
        if ctx.args:
            raise Stray(ctx.args[0], ctx.command_path)
        given = {name: value for name, value in ctx.params.items() if value not in (None, ())}
        values = {}
        for name in given.keys() & self._flags.keys():
            joined = self._flags[name].hint.way == "list"
            values[name] = ",".join(given[name]) if joined else given[name]
        options: dict[str, Any] = {}
        for key in given.keys() & self._options.keys():
            strategy, _, option = self._options[key].rpartition(".")
            place = options.setdefault(strategy, {}) if strategy else options
            place[option] = _plain(given[key])
        return Words(self.name or "", values, options, given.get("config", ()))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections in place of one long list; click has told the words without a flag before."""
        asking = self.get_help_option(ctx)
        general = [*self._general, *([asking] if asking else [])]
        for title, params in (*self._sections, ("General", general)):
            with formatter.section(title):
                formatter.write_dl([one.get_help_record(ctx) or ("", "") for one in params])


def _sections(
    kind: type[CommandSettings], flags: Iterable[Flag]
) -> list[tuple[str, list[click.Parameter]]]:
    """What matters first, then the other settings by their sections, but for bare words."""
    known = {one.name: one for one in flags if one.hint.way != "word"}
    first = [known[name] for name in kind.first]
    titled: dict[str, list[Flag]] = {"What matters first": first}
    own = [one for one in known.values() if one.section == kind.section]
    for one in (*own, *known.values()):
        there = titled.setdefault(one.section, [])
        if one not in (*first, *there):
            there.append(one)
    return [(title, list(map(_parameter, rows))) for title, rows in titled.items() if rows]


def _parameter(one: Flag) -> click.Parameter:
    if one.hint.way == "word":
        several = tuple in one.hint.kinds
        required = one.default is NO_DEFAULT
        return click.Argument(
            [one.name], nargs=-1 if several else 1, required=required, help=_help(one)
        )
    # A switch means true where no value follows it.
    switch: dict[str, Any] = {"is_flag": False, "flag_value": "true"}
    return click.Option(
        [flag_name(one.name)],
        type=Value(),
        multiple=one.hint.way == "list",
        metavar=_metavar(one),
        help=_help(one),
        **(switch if one.hint.way == "switch" else {}),
    )


def _debug() -> click.Parameter:
    """Seen to by `experiments.cli`, which answers mistakes made here too."""
    return click.Option(["--debug"], is_flag=True, expose_value=False, help=DEBUG)


def _help(one: Flag) -> str:
    if one.default is NO_DEFAULT:
        return f"{one.help.rstrip('.')}. (required)"
    return f"{one.help.rstrip('.')}. (default: {_shown(one.default)})"


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if isinstance(default, float):
        default = f"{default:g}"
    return "none" if default in (None, "", {}) else str(default)


def _metavar(one: Flag) -> str:
    kinds = one.hint.kinds
    if one.hint.way == "switch":
        return ""
    number = ["N"] if int in kinds else ["NUMBER"] if float in kinds else []
    return "|".join([*number, *one.hint.choices]) or "TEXT"


def _plain(text: str) -> Any:
    """A number, a truth value or a list where it reads as one in JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _mistake(error: click.UsageError, kinds: Kinds) -> Mistake:
    """What click could not understand, in our words."""
    context = error.ctx
    path = context.command_path if context else "amc"
    if isinstance(error, click.NoSuchOption):
        if context is None or context.parent is None:
            return TooEarly(error.option_name)
        known = [flag for one in context.command.params for flag in one.opts]
        return Unknown("flag", error.option_name, known, path)
    if isinstance(error, click.exceptions.NoSuchCommand):
        return Unknown("command", error.command_name, kinds, path)
    if isinstance(error, click.BadOptionUsage):
        return NoValue(error.option_name, path)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return Missing(error.param.name or "", path)
    return Mistake(f"{error.format_message()} See {path} --help")
