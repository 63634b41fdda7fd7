"""Words on a command line as names with texts, and help: what click does for `amc`.

click only takes words apart; every value stays a text, which the settings themselves read and
check, as they do with those of a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from experiments.settings.commands import CommandSettings
from experiments.settings.flat import flags_of
from experiments.settings.mistakes import (
    Missing,
    Mistake,
    NoValue,
    Stray,
    TooEarly,
    Unknown,
)
from experiments.settings.parameters import Value, debug, parameter, sections, version

Kinds = Mapping[str, tuple[type[CommandSettings], str]]
"""For each command the class of its settings, and what it does."""

ABOUT = "Finds how much of each layer of a PyTorch network to prune."
MORE = "amc COMMAND --help explains a command; --debug shows where an error came from."
FILE = "YAML file with any of these settings; flags override it."
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
        params=[debug(), version()],
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
    except click.Abort:  # What click makes of Ctrl-C.
        raise KeyboardInterrupt from None
    if not isinstance(found, Words):
        raise SystemExit(found)  # The code with which help ends.
    return found


class Commands(click.Group):
    """All commands, in the order of work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names; click would sort them."""
        return list(self.commands)


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
        self._sections = sections(kind)
        words = [parameter(one) for one in flags.values() if one.hint.way == "word"]
        more = [
            click.Option([key, OPTION + option], type=Value(), hidden=True)
            for key, option in self._options.items()
        ]
        general: list[click.Parameter] = [debug()]
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
        values = {
            name: ",".join(given[name]) if one.hint.way == "list" else given[name]
            for name, one in self._flags.items()
            if name in given
        }
        return Words(self.name or "", values, self._gathered(given), given.get("config", ()))

    def _gathered(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options by name, those of one strategy together."""
        options: dict[str, Any] = {}
        for key, option in self._options.items():
            strategy, _, name = option.rpartition(".")
            place = options.setdefault(strategy, {}) if strategy else options
            place[name] = _plain(given[key])
        return options

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections in place of one long list; click has told the words without a flag before."""
        asking = self.get_help_option(ctx)
        general = [*self._general, *([asking] if asking else [])]
        for title, params in (*self._sections, ("General", general)):
            with formatter.section(title):
                formatter.write_dl([one.get_help_record(ctx) or ("", "") for one in params])


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
    if isinstance(error, click.BadOptionUsage) and error.option_name != "--debug":
        return NoValue(error.option_name, path)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return Missing(error.param.name or "", path)
    return Mistake(f"{error.format_message()} See {path} --help")
