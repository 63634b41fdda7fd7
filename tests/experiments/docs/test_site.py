"""The site is built without a warning, and what its walks tell to type works as it stands."""

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from studies_there import STUDIES

from experiments.cli import main

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
WALKS = ("tutorial", "tasks", "own-network", "latency-budget", "write-a-strategy")
STEP = re.compile(
    r'^```python(?: title="(?P<file>[\w.]+)")?\n(?P<code>.*?)^```$'
    r"|^    amc (?P<words>(?:[^\n]+\\\n)*[^\n]+)$",
    re.MULTILINE | re.DOTALL,
)

INSTEAD = {"latency=0.85": "latency=1"}
"""How fast a network of microseconds can become is another answer on every busy machine."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with warnings as errors."""
    if not os.environ.get("AMC_REQUIRE_DOCS"):
        pytest.importorskip("mkdocs", reason="its generator needs Python 3.11")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_part_of_it(site: Path) -> None:
    pages = {path.parent.name for path in site.glob("*/index.html")}
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= pages


def test_no_page_asks_another_server_for_anything(site: Path) -> None:
    loads = re.compile(r'<(?:script|img|iframe)[^>]+src="(\w+:)?//|rel="stylesheet"[^>]+"https?:')
    pages = list(site.rglob("*.html"))
    assert pages
    assert not [page for page in pages if loads.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("room", ["amc", "envs", "agents", "netadapt"])
def test_the_reference_has_all_that_is_public(room: str, site: Path) -> None:
    page = (site / "api" / room / "index.html").read_text(encoding="utf-8")
    public = import_module(room).__all__
    assert [name for name in public if f'id="{room}.{name}"' not in page] == []


@pytest.mark.timeout(400)  # A walk is many commands.
@pytest.mark.parametrize("name", WALKS)
def test_a_walk_can_be_walked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    steps = list(STEP.finditer((DOCS / f"{name}.md").read_text(encoding="utf-8")))
    assert steps
    for step in steps:
        take(step)


def take(step: re.Match[str]) -> None:
    """Do what one block of a page shows."""
    if step["words"]:
        shown = shlex.split(step["words"].replace("\\\n", " "))
        words = [INSTEAD.get(word, word) for word in shown]
        assert main(words) == 0, words
    elif step["file"]:
        Path(step["file"]).write_text(step["code"], encoding="utf-8")
    else:
        exec(compile(step["code"], "page", "exec"), {})


def test_the_page_of_figures_has_every_study() -> None:
    page = (DOCS / "figures.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"`python -m experiments\.studies\.(\w+)`", page)) == STUDIES
