"""The demonstration, without running it."""

from dataclasses import replace

import pytest
import yaml

from amc.rules import match_ratios
from amc.tracing.build import trace
from experiments import demo
from experiments.cli import KINDS
from experiments.search.strategies import make_strategy
from experiments.settings import BenchmarkSettings, NetworkSettings, TrainSettings, parse
from experiments.zoo.networks import load_workload


@pytest.fixture
def typed(monkeypatch):
    """The commands of the demonstration."""
    commands = []

    def remembered(words):
        commands.append(words)
        return 0

    monkeypatch.setattr(demo, "main", remembered)
    assert demo.demo() == 0
    return commands


def test_its_commands_are_such_as_a_user_could_type(typed):
    first, second, *others = (parse(words, KINDS) for words in typed)
    assert isinstance(first, TrainSettings)
    assert isinstance(second, BenchmarkSettings)
    network = NetworkSettings("resnet8", "digits")
    assert first.network == network
    assert replace(second.network, weights=None) == network
    assert second.network.weights == f"{first.output.out}/model.safetensors"
    assert second.tuning.finetune_epochs > 0
    assert [one.command for one in others] == ["export"] * 4 + ["report"]
    runs = [f"{second.output.out}/{name}" for name in second.strategies]
    assert [config.run for config in others[:4]] == runs
    assert others[-1].runs == (second.output.out,)
    assert second.strategies == ("gp-rollout", "netadapt", "uniform", "manual")
    for name in second.strategies:
        make_strategy(
            name, second.problem.episodes, {"file": second.manual} if name == "manual" else {}
        )


def test_it_shows_what_it_runs(typed, capsys):
    demo.demo()
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"$ amc {' '.join(words)}" for words in typed[len(typed) // 2 :]]


def test_its_manual_ratios_are_for_its_network():
    workload = load_workload(NetworkSettings(model="resnet8", dataset="digits"), trained=False)
    patterns = yaml.safe_load(demo.MANUAL.read_text())
    ratios = match_ratios(trace(workload.model, workload.example), patterns)
    assert (ratios > 0).all()


def test_it_stops_where_a_command_fails(monkeypatch):
    asked = []

    def fails(words):
        asked.append(words[0])
        return 2

    monkeypatch.setattr(demo, "main", fails)
    assert demo.demo() == 2
    assert asked == ["train"]
