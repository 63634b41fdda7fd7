"""Flags that studies share whose findings are lines of a file, which stands in the docs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from experiments.disk import Rows
from experiments.studies.pages import put

DOCS = Path(__file__).parents[2] / "docs"


def parser_of(
    module: str, about: str | None, rows: Path, networks: Iterable[str] = (), timeout: float = 0.0
) -> argparse.ArgumentParser:
    """The flags `--out`, `--anew` and `--docs`, and of studies of many networks two more.

    Args:
        module: That is run.
        about: What its help says.
        rows: File that findings are kept in where none is named.
        networks: For `--networks`: all that there are.
        timeout: For `--timeout`: seconds that one of them may take.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    add, shown = parser.add_argument, rows.relative_to(DOCS.parent)
    if names := ",".join(networks):
        add("--networks", default=names, help="names, by commas (default: all of them)")
        add(
            "--timeout", type=float, default=timeout, help="seconds for each (default: %(default)g)"
        )
    add("--out", default=str(rows), help=f"(default: {shown})")
    add("--anew", action="store_true", help="forget what the file has")
    add("--docs", action="store_true", help="write what was found into the docs")
    return parser


def rows_of(asked: argparse.Namespace, *keys: str) -> Rows:
    """The file that was asked for, empty where all is to be found anew."""
    rows = Rows(Path(asked.out), keys)
    if asked.anew:
        rows.forget()
    return rows


def tell(
    asked: argparse.Namespace, rows: Rows, table: Callable[[], str], page: Path, mark: str
) -> int:
    """Print a study's table, and put it into its page where that is asked for; the exit code.

    Args:
        asked: The flags.
        rows: Of the file; without any there is nothing to tell.
        table: Makes it of them.
        page: That it stands on.
        mark: Its place there (`experiments.studies.pages.put`).
    """
    if not rows.known():
        print(f"{asked.out} has no row yet; leave --no-run out")
        return 2
    text = table()
    print(text)
    if asked.docs:
        put(page, mark, text)
    return 0
