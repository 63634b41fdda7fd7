"""What the README shows works as it stands."""

import re
from pathlib import Path

import pytest
import torch

from amc import load_pruned
from amc.costs import COSTS, Macs
from amc.criteria import CRITERIA
from amc.policy import Budget, Policy
from amc.strategies import STRATEGIES
from amc.tracing.build import trace
from experiments.cli import COMMANDS, KINDS
from experiments.latency.terms import LATENCY
from experiments.settings import parse
from experiments.zoo.datasets import DATASETS
from experiments.zoo.models import MODELS

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def block():
    """The first Python block under the heading."""
    section = README.split("\n## Prune a network of your own\n")[1].split("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def test_pruning_a_network_of_ones_own_takes_15_lines():
    assert len(block().splitlines()) <= 15


def test_those_lines_run_and_give_a_smaller_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block(), "README.md", "exec"), names)
    example, network = names["images"][:1], names["found"].network
    graph, smaller = trace(names["model"], example), trace(network, example)
    assert 0.4 < Macs(smaller)(smaller.full) / Macs(graph)(graph.full) <= 0.5
    assert Policy.load("pruned/policy.json").kept == smaller.full
    again = load_pruned(names["model"], example, "pruned/model.safetensors")
    assert torch.equal(again(example), network(example))
    assert "Pruning Sequential" in Path("pruned/report.html").read_text(encoding="utf-8")


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
    others = {*own, "lp:0.5"}
    assert set(row(flag)) - others == set(table)


def test_its_budgets_can_be_read():
    for text in row("--budget"):
        assert Budget.parse(text).cost in {*COSTS, LATENCY}
