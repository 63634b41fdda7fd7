"""Headless Chromium, spoken to in its DevTools protocol through a pair of pipes.

Pipes need neither a package nor a port: messages are JSON, each ended by a zero byte, which the
browser reads from its file descriptor 3 and writes to 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # a container's root cannot have one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 30.0
"""Seconds that an answer may take."""

Message = dict[str, Any]


def executable() -> str | None:
    """The browser on this machine; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One process with one page.

    Args:
        program: To start.
        profile: Folder for its settings.

    Attributes:
        complaints: What the page wrote to its console, and what the browser had to say of it.
        requests: Addresses that it asked for.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self._process, self._to, self._from = _started(program, profile)
        self._number, self._rest = 0, b""
        self._session: str | None = None
        self._seen: set[str] = set()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(
        self, page: Path | str, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Load a page, a file or an address, at a width in pixels; on a phone below 600."""
        self.complaints, self.requests = [], []
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "mobile": width < 600, "deviceScaleFactor": 1},
        )
        self.media(dark=dark)
        self._seen.clear()
        address = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=address)
        self._until(lambda: "Page.loadEventFired" in self._seen)
        self.run("document.fonts.ready.then(() => true)")

    def media(self, *, dark: bool = False, printed: bool = False) -> None:
        """Show the page in another palette, or as a printer gets it."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        media = "print" if printed else ""  # its own
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def accessible(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader meets."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        heard = [node for node in nodes if not node["ignored"]]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip()) for node in heard
        ]

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """The page as printed."""
        printed = self.call("Page.printToPDF", preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(printed["data"]))

    def close(self) -> None:
        """End the process, which does so by itself when nothing can be read any more."""
        os.close(self._to)
        end = time.monotonic() + 5
        while os.waitpid(self._process, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
                break
            time.sleep(0.02)
        os.close(self._from)

    def call(self, method: str, **parameters: Any) -> Message:
        """What the browser answers to one command of the protocol."""
        self._number += 1
        message: Message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answers: list[Message] = []
        self._until(lambda: bool(answers), answers)
        assert "error" not in answers[0], f"{method}: {answers[0]['error']}"
        result: Message = answers[0]["result"]
        return result

    def _until(self, done: Callable[[], bool], answers: list[Message] | None = None) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            message = self._next(end)
            if answers is not None and message.get("id") == self._number:
                answers.append(message)
            else:
                self._note(message)

    def _next(self, end: float) -> Message:
        while b"\0" not in self._rest:
            ready, *_ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._from, 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        message: Message = json.loads(first)
        return message

    def _note(self, event: Message) -> None:
        method, told = event.get("method", ""), event.get("params", {})
        self._seen.add(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{told['type']}: {told['args']}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])


def _started(program: str, profile: Path) -> tuple[int, int, int]:
    """The process, what to write to, and what to read from."""
    theirs, into = os.pipe()
    out, other = os.pipe()
    # Out of the way of 3 and 4, which they become.
    reads, writes = (fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10) for number in (theirs, other))
    words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    moved = [(os.POSIX_SPAWN_DUP2, reads, 3), (os.POSIX_SPAWN_DUP2, writes, 4)]
    process = os.posix_spawn(program, words, os.environ, file_actions=[*actions, *moved])
    for number in (theirs, other, reads, writes):
        os.close(number)
    return process, into, out
