"""What the README shows works as it stands."""

import re
from pathlib import Path

import pytest

from amc.costs import COSTS
from amc.criteria import CRITERIA
from amc.policy import Budget
from amc.strategies import STRATEGIES
from experiments.cli import COMMANDS, KINDS
from experiments.latency.terms import LATENCY
from experiments.settings import parse
from experiments.zoo.datasets import DATASETS
from experiments.zoo.models import MODELS

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def commands():
    """Every `amc ...` line of the README."""
    found = re.findall(r"^    (?:\$ )?amc ([^#\n]+)", README, re.MULTILINE)
    return [command.split() for command in [*found, *re.findall(r"`amc ([a-z]+ -[^`]+)`", README)]]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_each_command_that_it_shows_can_be_typed(words):
    assert parse(words, KINDS).command == words[0]


def test_it_shows_every_command():
    assert {words[0] for words in commands()} == set(COMMANDS)


def row(flag):
    """Code in the second column of the table of names."""
    line = re.search(rf"^\| `{flag}` \| (.*) \|$", README, re.MULTILINE)[1]
    return re.findall(r"`([^`]+)`", line)


@pytest.mark.parametrize(
    ("flag", "table"),
    [
        ("--model", MODELS),
        ("--dataset", DATASETS),
        ("--strategy", STRATEGIES),
        ("--criterion", CRITERIA),
    ],
)
def test_its_table_of_names_is_complete(flag, table):
    own = {"package.module:function", "package.module:Class", "folder:PATH", "--weights FILE"}
    own |= {"timm:NAME", "torchvision:NAME", "transformers:FOLDER"}
    others = {*own, "lp:0.5"}
    assert set(row(flag)) - others == set(table)


def test_its_budgets_can_be_read():
    for text in row("--budget"):
        assert Budget.parse(text).cost in {*COSTS, LATENCY}
