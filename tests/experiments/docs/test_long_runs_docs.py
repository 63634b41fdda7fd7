"""What the pages on long runs and on files from elsewhere show works as it stands."""

import json
import re
import shlex
from pathlib import Path

import pytest

from amc.journal import Blank
from experiments.cli import KINDS
from experiments.runs.checkpoints import FOLDER
from experiments.runs.journal_file import JOURNAL_FILE
from experiments.settings import parse

DOCS = Path(__file__).parents[3] / "docs"
LONG_RUNS, SAFETY = ((DOCS / name).read_text("utf-8") for name in ("long-runs.md", "safety.md"))


@pytest.mark.parametrize("words", re.findall(r"^    amc (.+)$", LONG_RUNS, re.MULTILINE)[:1])
def test_its_first_command_can_be_typed(words):
    config = parse(shlex.split(words), KINDS)
    assert config.command == "search"
    assert f"amc search --config {config.output.out}/config.yaml" in LONG_RUNS


def code(page):
    return re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]


def test_its_code_runs_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile("import torch; torch.manual_seed(0)\n" + code(LONG_RUNS), "page", "exec"), names)
    first = (tmp_path / JOURNAL_FILE).read_text().splitlines()
    assert json.loads(first[0])["record"]["about"] == "my search"
    assert len(first) == 1 + len(names["found"].outcomes)
    again = {}
    exec(compile("import torch; torch.manual_seed(0)\n" + code(LONG_RUNS), "page", "exec"), again)
    assert (tmp_path / JOURNAL_FILE).read_text().splitlines() == first
    assert again["found"].best == names["found"].best


def test_it_names_the_files_and_the_methods():
    assert f"`{JOURNAL_FILE}`" in LONG_RUNS
    assert f"`{FOLDER}/`" in LONG_RUNS
    methods = [name for name in vars(Blank) if not name.startswith("_")]
    assert len(methods) == 5
    assert "five methods" in LONG_RUNS


def test_the_code_that_converts_a_pickle_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code(SAFETY), "page", "exec"), {})
    assert (tmp_path / "network.safetensors").is_file()
