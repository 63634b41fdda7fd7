"""The command line: `amc train | search | prune | export | benchmark | report`."""

from __future__ import annotations

import re
import sys
import traceback
from argparse import HelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from experiments.config import (
    BenchmarkConfig,
    ExportConfig,
    PruneConfig,
    ReportConfig,
    SearchConfig,
    TrainConfig,
)

Command = Callable[[Any], None]


class UsageError(Exception):
    """Arguments that cannot be understood."""


INPUT_ERRORS = (
    UsageError,
    ArithmeticError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What bad input raises, down to a loss that is not finite."""


class Parser(ArgumentParser):
    """Answers bad arguments with an exception of one line, and writes flags with dashes."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise `UsageError`; jsonargparse would print the whole usage."""
        raise UsageError(_plain(message)) from ex

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        """Flags are named after the fields of the settings, but typed with dashes."""
        text = super().format_help(formatter)
        return re.sub(r"--[a-z_]+", lambda flag: flag[0].replace("_", "-"), text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 2 for bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [_underscored(word) for word in words if word != "--debug"]
    try:
        _check_packages()
        name, config = _parse(words)
        COMMANDS[name][1](config)
    except KeyboardInterrupt:
        return 130
    except INPUT_ERRORS as error:
        if debug:
            traceback.print_exc()
        print(f"amc: error: {_one_line(_text(error))}", file=sys.stderr)
        return 2
    return 0


def _parse(words: list[str]) -> tuple[str, Any]:
    parser = Parser(
        prog="amc",
        description="Finds how much of each layer of a PyTorch network to prune.",
        epilog="amc COMMAND --help explains a command; --debug shows where an error came from.",
    )
    commands = parser.add_subcommands(title="commands", dest="command", metavar="COMMAND")
    known = {}
    for name, (kind, _, about) in COMMANDS.items():
        known[name] = _parser_of(kind, about)
        commands.add_subcommand(name, known[name], help=about)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise UsageError(f"unknown command {words[0]!r}{_hint(words[0], COMMANDS)}; see amc --help")
    if not words:
        parser.print_help()
        raise SystemExit(2)
    if words[0] in known:
        _check_flags(words[1:], known[words[0]], words[0])
    parsed = parser.parse_args(words)
    chosen = parsed.pop("command")
    return chosen, _config_of(COMMANDS[chosen][0], parsed[chosen])


def _underscored(word: str) -> str:
    """--round-to 8 for the field round_to."""
    flag, equals, value = word.partition("=")
    named = "--" + flag[2:].replace("-", "_") if flag.startswith("--") else flag
    return named + equals + value


def _parser_of(kind: type, about: str) -> Parser:
    parser = Parser(description=about + ".")
    if kind is ReportConfig:
        parser.add_argument("runs", nargs="+", help="Run folders, or a benchmark's folder.")
        parser.add_argument("--out", help="HTML file; left out, report.html in the first folder.")
        return parser
    parser.add_argument("--config", action="config", help="YAML file with any of these settings.")
    parser.add_class_arguments(kind, as_group=False, as_positional=True)
    return parser


def _config_of(kind: type, parsed: Namespace) -> Any:
    names = {item.name for item in fields(kind)}
    values = {name: value for name, value in parsed.as_dict().items() if name in names}
    return kind(**values)


def _check_flags(words: list[str], parser: Parser, command: str) -> None:
    known = {flag for action in parser._actions for flag in action.option_strings}
    for word in words:
        flag = word.partition("=")[0]
        root = flag.partition(".")[0]
        if flag.startswith("--") and root not in known:
            hint = _hint(flag, known).replace("_", "-")
            typed = flag.replace("_", "-")
            raise UsageError(f"unknown flag {typed}{hint}; see amc {command} --help")


def _hint(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


_TYPES = {"int": "a whole number", "float": "a number"}


def _plain(message: str) -> str:
    """jsonargparse's words in ours."""
    message = _one_line(message)
    wrong = re.search(r"key \"([\w.]+)\": Expected a <class '(\w+)'>. Got value: (.*)", message)
    if wrong:
        flag = "--" + wrong[1].rpartition(".")[2].replace("_", "-")
        return f"{flag} is {wrong[3]!r}; it must be {_TYPES.get(wrong[2], wrong[2])}"
    missing = re.search(r"arguments are required: (.*)", message)
    if missing:
        return f"{missing[1].rpartition('.')[2].upper()} is missing; see amc COMMAND --help"
    return message


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _text(error: BaseException) -> str:
    if isinstance(error, KeyError) or not str(error):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    return str(error)


def _check_packages() -> None:
    """Other distributions install `envs`, `agents` and `experiments`: make sure these are ours."""
    here = Path(__file__).resolve().parent.parent
    for name in ("amc", "envs", "agents", "netadapt", "experiments"):
        spec = find_spec(name)
        origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if origin is None or origin.parent.parent != here:
            raise UsageError(
                f"the package {name!r} is not this project's but {origin}; uninstall the "
                "distribution that brings it, or use a fresh virtual environment"
            )


def _console() -> Any:
    from rich.console import Console

    return Console()


def _train(config: TrainConfig) -> None:
    from experiments.train import train

    console = _console()
    reached = train(config, console)
    console.print(
        f"accuracy {reached.holdout:.4f} held out, {reached.test:.4f} test; "
        f"weights in {Path(config.out) / 'model.safetensors'}",
        highlight=False,
        soft_wrap=True,
    )


def _search(config: SearchConfig) -> None:
    from experiments.runs import search

    console = _console()
    _show([search(config, console)], config.out, console)


def _prune(config: PruneConfig) -> None:
    from experiments.runs import apply_policy

    console = _console()
    _show([apply_policy(config, console)], config.out, console)


def _benchmark(config: BenchmarkConfig) -> None:
    from experiments.benchmark import benchmark

    console = _console()
    _show(benchmark(config, console), config.out, console)


def _export(config: ExportConfig) -> None:
    from experiments.exporting import export

    _console().print(export(config), highlight=False)


def _report(config: ReportConfig) -> None:
    from experiments.reporting import report

    _console().print(f"report: {report(config)}", highlight=False)


def _show(results: list[Any], out: str, console: Any) -> None:
    from experiments.report.table import results_table

    console.print(results_table(results))
    console.print(f"report: {Path(out) / 'report.html'}", highlight=False, soft_wrap=True)


COMMANDS: dict[str, tuple[type, Command, str]] = {
    "train": (TrainConfig, _train, "Train a network of the zoo"),
    "search": (SearchConfig, _search, "Search pruning ratios under a budget"),
    "prune": (PruneConfig, _prune, "Apply a policy file to a network"),
    "export": (ExportConfig, _export, "Write a run's network in another format"),
    "benchmark": (BenchmarkConfig, _benchmark, "Compare strategies on one problem"),
    "report": (ReportConfig, _report, "Make one report of several runs"),
}

if __name__ == "__main__":
    sys.exit(main())
