"""What the page on sparsity shows is what its command has written, and works as it stands."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from experiments.studies.sparsity.__main__ import table
from experiments.studies.sparsity.routes import DENSE, GOAL, TRAINED_ON, Study

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "sparsity.md").read_text(encoding="utf-8")
FIGURES = json.loads((DOCS / "figures" / "sparsity.json").read_text(encoding="utf-8"))


def test_its_table_is_that_of_the_figures():
    assert table(FIGURES["routes"]) in PAGE


def test_the_figures_are_those_of_the_study_as_it_stands():
    assert FIGURES["study"] == json.loads(json.dumps(asdict(Study())))
    assert list(FIGURES["seeds"]) == ["0", "1", "2"]


def test_the_headline_holds():
    """A tenth of the weights does at most 0.1 points worse, in the mean."""
    goal = next(p for p in FIGURES["routes"]["iterative"] if p["sparsity"] >= GOAL - 1e-4)
    assert goal["sparsity"] == pytest.approx(GOAL, abs=1e-3)
    assert goal["lost"] <= 0.001
    assert FIGURES["routes"][DENSE][0]["accuracy"] > 0.91


def test_its_picture_is_there_and_has_every_route():
    (name,) = re.findall(r"^!\[.+\]\((.+)\)$", PAGE, re.MULTILINE)
    picture = (DOCS / name).read_text(encoding="utf-8")
    assert all(f">{route}<" in picture for route in FIGURES["routes"])
    assert TRAINED_ON in FIGURES["routes"]


def test_its_code_runs():
    names = {}
    exec(
        compile(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], "sparsity.md", "exec"), names
    )
    assert names["sparsity"] == pytest.approx(0.9, abs=0.01)
