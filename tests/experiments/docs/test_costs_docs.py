"""What the page on costs shows works as it stands, and its figures are the program's."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from amc.costs import COSTS, NM45
from amc.granularity import Granularity
from amc.policy import Budget
from amc.pruning import decisions
from envs.rewards import REWARDS
from experiments.studies.costs import falling, memory_table
from experiments.terminal.formats import COSTS as NAMES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "costs.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| `([\w.]+)` \(([^)]*)\) \| (yes|no) \|", PAGE, re.MULTILINE
)


def test_its_code_runs():
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(compile(code, "costs.md", "exec"), {})


def test_its_table_has_every_cost_and_its_units_are_understood():
    assert [name for name, *_ in ROWS] == [*COSTS, "latency"]
    for name, amount, units, _ in ROWS:
        assert not Budget.parse(f"{name}={amount}").relative
        for unit in units.split(", ") if units != "the same" else ():
            assert not Budget.parse(f"{name}=3{unit}").relative


def costs_that_fall(granularity):
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    graph = decisions(model, torch.zeros(1, 4, 6, 6), granularity)
    counts = Granularity.parse(granularity).rounding().counts
    fewest = [counts(units)[0] for units in graph.full]
    return {name for name, make in COSTS.items() if make(graph)(fewest) < make(graph)(graph.full)}


def test_it_tells_what_zeros_save():
    assert {name for name, *_, saved in ROWS if saved == "yes"} == costs_that_fall("element")


def test_the_page_on_granularities_tells_what_can_have_a_budget_there():
    page = (DOCS / "granularities.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w\S+)`.* \| (`macs`.*|`params`.*) \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for granularity, told in rows:
        assert set(re.findall(r"`(\w+)`", told)) == costs_that_fall(granularity)


def test_its_table_of_what_is_left_is_what_the_program_says():
    assert falling("resnet20") in PAGE


def test_its_constants_are_the_defaults():
    told = re.findall(r"^\| (?:access to )?(\w+) \| ([\d.]+) pJ \|$", PAGE, re.MULTILINE)
    assert {word.lower(): float(number) for word, number in told} == {
        name: pytest.approx(value * 1e12) for name, value in vars(NM45).items()
    }


def test_its_rewards_are_all_that_there_are():
    section = PAGE.split("\n## Rewards\n")[1]
    told = re.findall(r"`(?:--options.reward )?(\w+)`", section)
    assert {"error", *told} == set(REWARDS)


def test_every_cost_has_a_name_in_reports():
    assert set(COSTS) <= set(NAMES)


def test_the_allocator_hands_out_no_less_than_is_said():
    cells = memory_table(["alexnet-small"], [2]).splitlines()[-1].split(" | ")
    assert cells[0] == "| alexnet-small"
    assert 0 <= float(cells[-1].rstrip("% |")) < 20
