"""`amc watch`: a small local page that shows runs while they go on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.disk import run_at
from experiments.report import going_on, render
from experiments.runs import JOURNAL_FILE, RunResult, latest_of
from experiments.settings import WatchSettings
from experiments.terminal import count

HERE = "127.0.0.1"
"""Nobody but this machine sees the page."""

NAMES = (HERE, "localhost")


def run(config: WatchSettings, console: Console) -> None:
    """What `amc watch` does, until Ctrl-C.

    Raises:
        FileNotFoundError: if a folder holds no run.
        OSError: if the port is taken.
    """
    folders = tuple(map(run_at, config.runs))
    page_of(folders)
    with ThreadingHTTPServer((HERE, config.port), partial(_Page, folders)) as server:
        console.print(
            f"watch it at http://{HERE}:{server.server_port}/ until Ctrl-C", soft_wrap=True
        )
        server.serve_forever()


def page_of(folders: tuple[Path, ...]) -> str:
    """The page as it is now.

    Args:
        folders: Of runs, or that hold some.

    Raises:
        FileNotFoundError: if one of them holds none.
    """
    found = [_latest(one) for folder in folders for one in _begun(folder)]
    there = [result for result, _, _ in found if result is not None]
    if not there:
        return going_on(" ".join(["Nothing to show yet.", *_others(found)]))
    finished = all((folder / "result.json").is_file() for folder in folders)
    told = [] if finished else [_told(one) for one, done, _ in found if one and not done]
    told += _others(found)
    if not finished and not told:
        told = ["All runs that were begun are finished."]
    return render(there, going_on="" if finished else " ".join(told))


Latest = tuple[RunResult | None, bool, str]
"""What a run has come to, whether that is its end, and why it cannot be shown."""


def _latest(folder: Path) -> Latest:
    try:
        return (*latest_of(folder), "")
    except ValueError:  # A training, or of another release.
        return None, True, f"{folder.name} is not the run of a search of this release."


def _others(found: Sequence[Latest]) -> list[str]:
    """Of runs that are not shown, in words."""
    waiting = sum(result is None and not done for result, done, _ in found)
    words = [f"{count(waiting, 'run')} with nothing to show yet."] if waiting else []
    return [*words, *(why for *_, why in found if why)]


def _begun(folder: Path) -> list[Path]:
    """The runs of a folder that were begun: itself, or those inside of it.

    Raises:
        FileNotFoundError: if there are none.
    """
    for places in ([folder], sorted(one for one in folder.glob("*") if one.is_dir())):
        begun = [one for one in places if (one / JOURNAL_FILE).is_file()]
        if begun:
            return begun
    raise FileNotFoundError(
        f"no run at {folder}; name the folder that a search or benchmark was given with --out"
    )


def _told(result: RunResult) -> str:
    """How far a run is."""
    made, most = len(result.evaluations), result.most_evaluations
    seconds = result.seconds.get("search", 0.0)
    words = f"{result.strategy}: {made}{f' of {most}' if most else ''} evaluations"
    if seconds:
        words += f", {made / seconds:.3g} a second"
    return f"{words}, best {result.score.name} {result.searched.holdout:.4f}."


class _Page(BaseHTTPRequestHandler):
    """Answers with the page, made anew each time."""

    def __init__(self, folders: tuple[Path, ...], *args: Any) -> None:
        self._folders = folders
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer one request."""
        # A page of another site cannot ask by a name of its own that leads here.
        asked = self.headers.get("Host", "").partition(":")[0]
        if self.path == "/favicon.ico":  # Browsers ask for one, and there is none.
            self.send_response(204)
            self.end_headers()
            return
        if self.path != "/" or asked not in NAMES:
            self.send_error(404)
            return
        try:
            page = page_of(self._folders)
        except FileNotFoundError as error:
            page = going_on(str(error))
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""
