"""What the page on granularities shows works as it stands."""

import re
from pathlib import Path

from amc.costs.size import FORMATS
from amc.granularity import Granularity

PAGE = (Path(__file__).parents[3] / "docs" / "granularities.md").read_text(encoding="utf-8")


def test_its_code_runs():
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(compile(code, "granularities.md", "exec"), {})


def test_its_first_table_can_be_read_by_the_program():
    rows = PAGE.split("| a unit is |")[1].split("\n\n")[0]
    names = re.findall(r"^\| `([^`]+)` ", rows, re.MULTILINE)
    assert [Granularity.parse(name).name for name in names] == [
        *("channel", "kernel", "vector", "element"),
        *("n:m", "n:m"),
    ]


def test_every_format_is_told():
    told = PAGE.split("| format |")[1].split("\n\n")[0].lower()
    assert re.findall(r"^\| ([a-z:]+) \|", told, re.MULTILINE) == list(FORMATS)
