"""A machine without data sets, and a web that serves only what a test puts there."""

import io
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from experiments.zoo import fashion_mnist


class Web:
    """Pages by address; anything else cannot be reached."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []

    def urlopen(self, url: str, timeout: float) -> io.BytesIO:
        self.asked.append(url)
        if url not in self.pages:
            raise urllib.error.URLError("no route to host")
        return io.BytesIO(self.pages[url])


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    web = Web()
    monkeypatch.setattr(urllib.request, "urlopen", web.urlopen)
    return web


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, web: Web) -> Path:
    """A folder with `data` ($AMC_DATA), `cache` ($XDG_CACHE_HOME) and `debian`, all empty."""
    monkeypatch.setenv("AMC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    for name in ("data", "cache", "debian"):
        (tmp_path / name).mkdir()
    return tmp_path
