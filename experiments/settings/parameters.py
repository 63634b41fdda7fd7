"""Settings as the parameters of click, with their help: sections, with what matters first."""

from __future__ import annotations

from typing import Any

import click

from experiments.settings.commands import CommandSettings
from experiments.settings.flat import NO_DEFAULT, Flag, flags_of
from experiments.settings.mistakes import flag_name

DEBUG = "Show where an error came from."


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


class TableOption(click.Option):
    """The setting that is typed as --options.NAME VALUE."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """How it is typed, and its help."""
        return f"{self.opts[0]}.NAME VALUE", self.help or ""


def sections(kind: type[CommandSettings]) -> list[tuple[str, list[click.Parameter]]]:
    """What matters first, then the other settings by their sections, but for bare words."""
    known = {one.name: one for one in flags_of(kind).values() if one.hint.way != "word"}
    first = [known[name] for name in kind.first]
    titled: dict[str, list[Flag]] = {"What matters first": first}
    own = [one for one in known.values() if one.section == kind.section]
    for one in (*own, *known.values()):
        there = titled.setdefault(one.section, [])
        if one not in (*first, *there):
            there.append(one)
    return [(title, list(map(parameter, rows))) for title, rows in titled.items() if rows]


def parameter(one: Flag) -> click.Parameter:
    """A setting as click knows it."""
    if one.hint.way == "word":
        several = tuple in one.hint.kinds
        required = one.default is NO_DEFAULT
        return click.Argument(
            [one.name], nargs=-1 if several else 1, required=required, help=_help(one)
        )
    # A switch means true where no value follows it.
    switch: dict[str, Any] = {"is_flag": False, "flag_value": "true"}
    option = TableOption if one.hint.way == "table" else click.Option
    return option(
        [flag_name(one.name)],
        type=Value(),
        multiple=one.hint.way == "list",
        metavar=_metavar(one),
        help=_help(one),
        **(switch if one.hint.way == "switch" else {}),
    )


def debug() -> click.Parameter:
    """Seen to by `experiments.cli`, which answers mistakes made here too."""
    return click.Option(["--debug"], is_flag=True, expose_value=False, help=DEBUG)


def version() -> click.Parameter:
    """Tells which release this is."""
    tell = click.version_option(
        package_name="amc-pruning", prog_name="amc", message="%(prog)s %(version)s"
    )
    (found,) = click.command(tell(lambda: None)).params
    return found


def _help(one: Flag) -> str:
    if one.default is NO_DEFAULT:
        return f"{one.help.rstrip('.')}. (required)"
    return f"{one.help.rstrip('.')}. (default: {_show(one.default)})"


def _show(default: Any) -> str:
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
