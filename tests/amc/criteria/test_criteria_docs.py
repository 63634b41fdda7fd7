"""The page on criteria says what the table of criteria says, and its example runs."""

import re
from pathlib import Path

import pytest
from tiny_networks import head, images, randomised, samples
from torch import nn

from amc.criteria import CRITERIA
from amc.granularity import GRANULARITIES
from amc.pruning import decisions, policy_of, prune

PAGE = (Path(__file__).parents[3] / "docs" / "criteria.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, its head first; escaped bars are no borders."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    table = [re.split(r" \| ", line) for line in lines]
    return [table[0], *table[2:]]


def test_every_criterion_is_explained() -> None:
    assert [row[0] for row in rows("What each one is")[1:]] == [f"`{name}`" for name in CRITERIA]


def test_images_are_said_to_be_needed_where_they_are() -> None:
    for name, *_, needs in rows("What each one is")[1:]:
        assert ("images" in needs) == CRITERIA[name.strip("`")].needs_samples


def test_every_refusal_gives_the_reason_of_the_code() -> None:
    head, *table = rows("Where a criterion is refused")
    assert head[1:] == list(GRANULARITIES)
    assert [row[0] for row in table] == [f"`{name}`" for name in CRITERIA]
    for name, channel, *masked in table:
        entry = CRITERIA[name.strip("`")]
        assert channel == "yes"
        assert masked == 4 * ["yes" if entry.masks is True else f"no: {entry.masks}"]


def network() -> nn.Module:
    """Of 8 channels that a batch norm scales."""
    body = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    return randomised(nn.Sequential(*body, *head(8)))


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("column", GRANULARITIES)
def test_every_cell_of_the_table_is_what_happens(column: str, name: str) -> None:
    heads, *table = rows("Where a criterion is refused")
    (told,) = (row[heads.index(column)] for row in table if row[0] == f"`{name}`")
    for granularity in ("2:4", "n:4") if column == "n:m" else (column,):
        model = network()
        graph = decisions(model, images(), granularity)
        policy = policy_of(graph, [units // 2 for units in graph.full], criterion=name)
        if told != "yes":
            with pytest.raises(ValueError, match=re.escape(told.removeprefix("no: "))):
                prune(model, policy, images(), calibration=samples(8))
            continue
        last = prune(model, policy, images(), calibration=samples(8))[-1].weight
        assert int((last != 0).sum()) == 16  # of 32


def test_every_criterion_has_its_figures() -> None:
    for name in CRITERIA:
        assert f"| `{name}` |" in PAGE.split("python -m experiments.studies.criteria")[1]


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/criteria.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6
    assert printed[-1] == "{'0': (16, 8), '2': (4, 16)}"
