"""The command line: `amc train | profile | search | prune | trust | export | ...`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from experiments.settings import (
    BenchmarkConfig,
    ExportConfig,
    ProfileConfig,
    PruneConfig,
    ReportConfig,
    RunsConfig,
    SearchConfig,
    TrainConfig,
    TrustConfig,
    UsageError,
    one_line,
    parse,
)
from experiments.terminal import INTERRUPTED, leave, stopped_in_time

# Threads that wait for each other would otherwise spin, which makes everything many times slower
# where another program runs on the same cores. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Command = Callable[[Any], None]

INPUT_ERRORS = (
    UsageError,
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
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        _look_here_too()
        _check_packages()
        kinds = {name: (kind, about) for name, (kind, _, about) in COMMANDS.items()}
        name, config = parse(words, kinds)
        with stopped_in_time(lambda: "interrupted"):
            COMMANDS[name][1](config)
    except KeyboardInterrupt as error:
        print(f"amc: {one_line(str(error) or 'interrupted')}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        told = _text(error) if isinstance(error, INPUT_ERRORS) else _unforeseen(error, words)
        print(f"amc: error: {one_line(told)}", file=sys.stderr)
        return 2
    return 0


def _look_here_too() -> None:
    """For package.module:function; at the end, so that nothing here replaces anything of ours.

    Raises:
        UsageError: if the current folder is gone.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current folder is no longer there; change to another one") from None
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
            raise UsageError(
                f"the package {name!r} is not this project's but {origin}; uninstall the "
                "distribution that brings it, or use a fresh virtual environment"
            )


def _console() -> Any:
    from rich.console import Console

    # Names and paths are printed as they are, brackets and all.
    return Console(markup=False, highlight=False)


def _train(config: TrainConfig) -> None:
    from experiments.commands import train

    console = _console()
    reached = train.train(config, console)
    console.print(
        f"accuracy {reached.holdout:.4f} held out, {reached.test:.4f} test; "
        f"weights in {Path(config.out) / 'model.safetensors'}",
        soft_wrap=True,
    )


def _profile(config: ProfileConfig) -> None:
    from experiments.commands import profile

    profile.profile(config, _console())


def _search(config: SearchConfig) -> None:
    from experiments.search import search

    console = _console()
    _show([search(config, console)], config.out, console)


def _prune(config: PruneConfig) -> None:
    from experiments.search import apply_policy

    console = _console()
    _show([apply_policy(config, console)], config.out, console)


def _benchmark(config: BenchmarkConfig) -> None:
    from experiments.commands import benchmark

    console = _console()
    _show(benchmark.benchmark(config, console), config.out, console)


def _export(config: ExportConfig) -> None:
    from experiments.commands import export

    export.export(config, _console())


def _trust(config: TrustConfig) -> None:
    from experiments.commands import trust

    trust.trust(config, _console())


def _report(config: ReportConfig) -> None:
    from experiments.commands import report

    _console().print(f"report: {report.report(config)}", soft_wrap=True)


def _runs(config: RunsConfig) -> None:
    from experiments.commands import runs

    runs.show_runs(config, _console())


def _show(results: list[Any], out: str, console: Any) -> None:
    from experiments.report import results_table

    console.print(results_table(results))
    console.print(f"report: {Path(out) / 'report.html'}", soft_wrap=True)


COMMANDS: dict[str, tuple[type, Command, str]] = {
    "train": (TrainConfig, _train, "Train a network of the zoo"),
    "profile": (ProfileConfig, _profile, "Measure how long a network takes, layer by layer"),
    "search": (SearchConfig, _search, "Search pruning ratios under a budget"),
    "prune": (PruneConfig, _prune, "Apply a policy file to a network"),
    "trust": (TrustConfig, _trust, "Measure how far a search's score may be trusted"),
    "export": (ExportConfig, _export, "Write a run's network in another format"),
    "benchmark": (BenchmarkConfig, _benchmark, "Compare strategies on one problem"),
    "report": (ReportConfig, _report, "Make one report of several runs"),
    "runs": (RunsConfig, _runs, "List runs with their status and result"),
}

if __name__ == "__main__":
    run()
