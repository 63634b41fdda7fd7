"""What the page on a search's speed shows works as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from experiments.studies.speed.__main__ import PARTS, parse
from experiments.studies.speed.cases import NETWORKS

PAGE = (Path(__file__).parents[3] / "docs" / "search-speed.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    python -m experiments\.studies\.speed (.+)$", PAGE, re.MULTILINE)


def test_its_code_runs():
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(compile(code, "search-speed.md", "exec"), {})


@pytest.mark.parametrize("words", COMMANDS)
def test_its_commands_can_be_typed(words):
    told = parse(shlex.split(words))
    assert set(told.parts.split(",")) <= set(PARTS)
    assert set(told.networks.split(",")) <= set(NETWORKS)
