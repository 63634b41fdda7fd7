"""The command line: `amc train | profile | search | prune | trust | export | ...`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

from experiments.settings import (
    BenchmarkSettings,
    CommandSettings,
    ExportSettings,
    FrontSettings,
    ProfileSettings,
    PruneSettings,
    ReportSettings,
    RunsSettings,
    SearchSettings,
    TrainSettings,
    TrustSettings,
    WatchSettings,
    parse,
)
from experiments.terminal import INTERRUPTED, leave, stop_in_time

# Threads that wait for each other would otherwise spin, which makes everything many times slower
# where another program runs on the same cores. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

INPUT_ERRORS = (
    ArithmeticError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What bad input raises, down to a loss that is not finite."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 2 for bad input, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _look_here_too()
        _check_packages()
        config = parse(words, KINDS)
        with stop_in_time(lambda: "interrupted"):
            _run(config)
    except KeyboardInterrupt as error:
        print(f"amc: {_one_line(str(error) or 'interrupted')}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if "--debug" in words:
            traceback.print_exc()
        told = _text(error) if isinstance(error, INPUT_ERRORS) else _unforeseen(error, words)
        print(f"amc: error: {_one_line(told)}", file=sys.stderr)
        return 2
    return 0


def _look_here_too() -> None:
    """For package.module:function; at the end, so that nothing here replaces anything of ours.

    Raises:
        RuntimeError: if the current folder is gone.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise RuntimeError("the current folder is no longer there; change to another one") from None
    if here not in sys.path:
        sys.path.append(here)


def run() -> NoReturn:
    """What `amc` is: `main` as a process of its own, which ends in time after Ctrl-C."""
    leave(main())


def _unforeseen(error: Exception, words: Sequence[str]) -> str:
    return (
        f"amc {' '.join(words[:1])} broke off at something that it was not made for "
        f"({type(error).__name__}: {error}); --debug shows where, and what is finished is kept"
    )


def _one_line(message: str) -> str:
    """The message without line breaks."""
    return " ".join(message.split())


def _text(error: BaseException) -> str:
    if isinstance(error, KeyError) or not str(error):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'file'}: {error.strerror}; see that this can be read or written, "
            "or name another"
        )
    return str(error)


def _check_packages() -> None:
    """Other distributions install `envs`, `agents` and `experiments`: make sure these are ours."""
    here = Path(__file__).resolve().parent.parent
    for name in ("amc", "envs", "agents", "netadapt", "experiments"):
        spec = find_spec(name)
        origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if origin is None or origin.parent.parent != here:
            raise RuntimeError(
                f"the package {name!r} is not this project's but {origin}; uninstall the "
                "distribution that brings it, or use a fresh virtual environment"
            )


def _run(config: CommandSettings) -> None:
    """Run the command that these are the settings of."""
    from rich.console import Console

    # Names and paths are printed as they are, brackets and all.
    console = Console(markup=False, highlight=False)
    import_module(COMMANDS[config.command].module).run(config, console)


class Command(NamedTuple):
    """A command of `amc`.

    Args:
        settings: Their class.
        module: Whose function `run` does it; imported then, because most bring PyTorch along.
        about: What it does.
    """

    settings: type[CommandSettings]
    module: str
    about: str


COMMANDS = {
    kind.command: Command(kind, f"experiments.commands.{kind.command}", about)
    for kind, about in (
        (TrainSettings, "Train a network of the zoo"),
        (ProfileSettings, "Measure how long a network takes, layer by layer"),
        (SearchSettings, "Search pruning ratios under a budget"),
        (FrontSettings, "Search the trade-off of a cost, for every budget"),
        (PruneSettings, "Apply a policy file to a network"),
        (TrustSettings, "Measure how far a search's score may be trusted"),
        (ExportSettings, "Write a run's network in another format"),
        (BenchmarkSettings, "Compare strategies on one problem"),
        (ReportSettings, "Make one report of several runs"),
        (WatchSettings, "Show runs on a local page while they go on"),
        (RunsSettings, "List runs with their status and result"),
    )
}

KINDS = {name: (command.settings, command.about) for name, command in COMMANDS.items()}
"""For `experiments.settings.parse`."""

if __name__ == "__main__":
    run()
