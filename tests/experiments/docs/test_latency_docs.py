"""What the page on latency shows works as it stands, and its figures are the measured ones."""

import copy
import json
import re
from pathlib import Path

import pytest
import torch
from made_tables import in_blocks, table_of
from torch import nn

import amc
from amc.tasks.samples import Samples
from experiments.disk import Rows
from experiments.latency.profiling.describe import UNSTEADY
from experiments.studies.architectures.networks import TIMED
from experiments.studies.budgets import BUDGET, STRATEGIES, Row, all_keep_budget
from experiments.studies.budgets import table_of as budgets_table
from experiments.studies.latency import zoo
from experiments.studies.latency.__main__ import (
    ANY,
    BARS,
    BUDGETS,
    EDGES,
    FAMILIES,
    MULTIPLE,
    MULTIPLES,
    accuracy_table,
    misses,
    policies_to_test,
    saving_table,
)
from experiments.studies.widths import __main__ as widths
from experiments.studies.widths import accuracy
from experiments.zoo.models import build_model

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "latency.md").read_text(encoding="utf-8")
STUDIES = json.loads((DOCS / "figures" / "latency.json").read_text(encoding="utf-8"))["studies"]


def test_its_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.Flatten())
    model.append(nn.Linear(12 * 16, 3))
    example = torch.zeros(1, 1, 8, 8)
    table = table_of(amc.trace(model, example))
    (tmp_path / "latency.json").write_text(table.to_json(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    holdout = Samples(torch.randn(9, 1, 8, 8), torch.arange(9) % 3)
    names = {"model": model, "example": example, "holdout": holdout}
    exec(compile(code[1], "latency.md", "exec"), names)
    assert "ms on a processor, onnxruntime 1.0.0" in capsys.readouterr().out
    problem = names["problem"]
    assert isinstance(problem, amc.Problem)
    assert problem.limits.items[0].name == "latency"


def between(mark: str) -> str:
    """What stands on the page between the two comments of this name."""
    return PAGE.partition(f"<!-- {mark} -->\n")[2].partition(f"<!-- end of {mark} -->")[0].strip()


def test_what_was_timed_of_the_zoo_is_what_its_tables_say() -> None:
    rows = Rows(widths.ROWS, widths.KEYS)
    assert between("widths") == widths.told(rows, TIMED)
    found = Rows(accuracy.ROWS, accuracy.KEYS)
    assert between("accuracy of widths") == accuracy.told(found, accuracy.SEEDS)
    tested = Rows(zoo.ROWS, ("name",)).known()
    assert between("zoo") == zoo.told(list(tested.values()))


def test_its_tables_are_those_of_the_figures() -> None:
    assert accuracy_table(STUDIES) in PAGE
    assert saving_table(STUDIES) in PAGE
    assert all(f"macs={budget:g}" in PAGE for budget in BUDGETS)


def test_the_bars_are_met_and_those_of_the_page() -> None:
    assert not misses(STUDIES)
    told = re.search(r"error is above (\d+)%.* above (\d+)% or .* below (\S+):", PAGE)
    assert told is not None
    assert [float(word) / 100 for word in told.groups()[:2]] == [BARS["median"], BARS["p90"]]
    assert float(told[3]) == BARS["spearman"]


def test_a_bar_that_is_missed_is_named_whichever_table_misses_it() -> None:
    study = copy.deepcopy(STUDIES[0])
    study["before"]["any counts"]["p90"] = 0.123
    study["families"]["edges of steps"]["spearman"] = float("nan")
    assert misses([study]) == [
        "resnet20, edges of steps, table made in turns: spearman nan, not 0.97",
        "resnet20, any counts, table made before: p90 0.123, not 0.1",
    ]


def test_ranks_are_judged_of_what_a_search_with_a_table_chooses_from() -> None:
    study = copy.deepcopy(STUDIES[0])
    study["families"][MULTIPLES] |= {"spearman": 0.5, "median": 0.06}
    study["families"][EDGES] |= {"spearman": 0.5}
    assert misses([study]) == [
        "resnet20, multiples of 8, table made in turns: median 0.060, not 0.05",
        "resnet20, edges of steps, table made in turns: spearman 0.500, not 0.97",
    ]


def test_random_policies_of_each_family_keep_to_its_counts() -> None:
    model = build_model("resnet8", in_channels=1, classes=10)
    graph = amc.trace(model, torch.zeros(1, 1, 28, 28))
    networks = policies_to_test(graph, table_of(graph, in_blocks), 3, 0)
    drawn = {family: [kept for one, _, kept in networks if one == family] for family in FAMILIES}
    assert all(len(kept) == 3 + len(BUDGETS) for kept in drawn.values())
    assert all(n % MULTIPLE == 0 for kept in drawn[MULTIPLES] for n in kept)
    assert all(n % 4 == 0 for kept in drawn[EDGES] for n in kept)
    assert any(n % 4 for kept in drawn[ANY] for n in kept)


def test_the_warning_of_an_unsteady_machine_is_the_programs() -> None:
    assert f"where one program's time went {UNSTEADY:.0%} apart" in " ".join(PAGE.split())


def test_the_table_of_budgets_is_that_of_the_figures_and_each_is_met_by_the_clock() -> None:
    told = json.loads((DOCS / "figures" / "budgets.json").read_text(encoding="utf-8"))
    rows = [Row(**{**row, "accuracy": tuple(row["accuracy"])}) for row in told["rows"]]
    assert budgets_table(rows, told["noise"]) in PAGE
    assert {row.strategy for row in rows if row.budget == str(BUDGET)} == set(STRATEGIES)
    assert all_keep_budget(rows, told["noise"])
