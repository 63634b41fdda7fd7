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


@pytest.fixture(params=["photographs", "digits"])
def typed(request, monkeypatch):
    """The commands of the demonstration, where the photographs are at hand and where not."""
    commands = []

    def remembered(words):
        commands.append(words)
        return 0

    def loaded(name):
        if request.param == "digits":
            raise FileNotFoundError(f"{name} is nowhere")

    monkeypatch.setattr(demo, "main", remembered)
    monkeypatch.setattr(demo, "load_dataset", loaded)
    assert demo.demo() == 0
    return commands


def test_its_commands_are_such_as_a_user_could_type(typed):
    *first, compared = (parse(words, KINDS) for words in typed)
    assert isinstance(compared, BenchmarkSettings)
    network = NetworkSettings("resnet20", "fashion-mnist")
    for trained in first:
        assert isinstance(trained, TrainSettings)
        network = NetworkSettings("resnet8", "digits")
        assert trained.network == network
        assert compared.network.weights == f"{trained.output.out}/model.safetensors"
    assert replace(compared.network, weights=None) == network
    assert compared.tuning.finetune_epochs > 0
    assert compared.seeds == 3
    assert compared.strategies == ("residual-gp", "uniform", "manual")
    for name in compared.strategies:
        file = {"file": compared.manual} if name == "manual" else {}
        make_strategy(name, compared.problem.episodes, file)


def test_it_shows_what_it_runs(typed, capsys):
    demo.demo()
    shown = capsys.readouterr().out.splitlines()
    told = [line for line in shown if line.startswith("$ amc ")]
    assert told == [f"$ amc {' '.join(words)}" for words in typed[len(typed) // 2 :]]
    away = "to take a network away: amc export runs/demo/benchmark/residual-gp"
    assert shown[-1].startswith(away)


@pytest.mark.parametrize(
    ("model", "dataset"), [("resnet20", "fashion-mnist"), ("resnet8", "digits")]
)
def test_its_manual_ratios_are_for_its_network(model, dataset, fashion_mnist):
    workload = load_workload(NetworkSettings(model=model, dataset=dataset), trained=False)
    name = {"resnet20": "resnet20", "resnet8": "digits"}[model]
    patterns = yaml.safe_load((demo.CONFIGS / f"{name}-manual.yaml").read_text())
    ratios = match_ratios(trace(workload.model, workload.example), patterns)
    assert (ratios > 0).all()


def test_it_stops_where_a_command_fails(monkeypatch):
    asked = []

    def fails(words):
        asked.append(words[0])
        return 2

    monkeypatch.setattr(demo, "main", fails)
    monkeypatch.setattr(demo, "load_dataset", lambda name: None)
    assert demo.demo() == 2
    assert asked == ["benchmark"]
