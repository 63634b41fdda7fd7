"""The demonstration, without running it."""

import pytest
import yaml

from amc.rules import matched_ratios
from amc.tracing.build import trace
from experiments import demo
from experiments.cli import COMMANDS
from experiments.search.strategies import make_strategy
from experiments.settings.arguments import parse
from experiments.settings.config import BenchmarkConfig, NetworkConfig, TrainConfig
from experiments.zoo.networks import load_setting

KINDS = {name: (kind, about) for name, (kind, _, about) in COMMANDS.items()}


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
    (train, first), (compare, second), *others = (parse(list(words), KINDS) for words in typed)
    assert (train, type(first)) == ("train", TrainConfig)
    assert (compare, type(second)) == ("benchmark", BenchmarkConfig)
    assert (second.model, second.dataset) == (first.model, first.dataset) == ("resnet8", "digits")
    assert second.weights == f"{first.out}/model.safetensors"
    assert second.finetune_epochs > 0
    assert [name for name, _ in others] == ["export"] * 4 + ["report"]
    runs = [f"{second.out}/{name}" for name in second.strategies.split(",")]
    assert [config.run for _, config in others[:4]] == runs
    assert others[-1][1].runs == [second.out]
    strategies = second.strategies.split(",")
    assert strategies == ["gp-rollout", "netadapt", "uniform", "manual"]
    for name in strategies:
        make_strategy(name, second.episodes, {"file": second.manual} if name == "manual" else {})


def test_it_shows_what_it_runs(typed, capsys):
    demo.demo()
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"$ amc {' '.join(words)}" for words in typed[len(typed) // 2 :]]


def test_its_manual_ratios_are_for_its_network():
    setting = load_setting(NetworkConfig(model="resnet8", dataset="digits"), trained=False)
    patterns = yaml.safe_load(demo.MANUAL.read_text())
    ratios = matched_ratios(trace(setting.model, setting.example), patterns)
    assert (ratios > 0).all()


def test_it_stops_where_a_command_fails(monkeypatch):
    asked = []

    def fails(words):
        asked.append(words[0])
        return 2

    monkeypatch.setattr(demo, "main", fails)
    assert demo.demo() == 2
    assert asked == ["train"]
