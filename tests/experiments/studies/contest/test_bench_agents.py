"""A contest on a network that searches in milliseconds: from the first search to the page."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from amc.policy import Budget
from amc.problem import Problem
from amc.tasks import Classification
from amc.tasks.samples import Samples
from experiments.studies.accuracies import accuracy, held_out
from experiments.studies.contest import __main__ as bench_agents
from experiments.studies.contest import searching
from experiments.studies.contest.material import Material
from experiments.studies.contest.records import Journal
from experiments.studies.contest.study import Contender, Study

NETWORK, BUDGETS = "three convolutions", ("macs=0.3", "macs=0.15")
WORDS = ["--evaluations", "4,6", "--seeds", "2"]


@cache
def made_up(network: str, budget: str) -> Material:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 24, 3), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.ReLU(), nn.Flatten())
    images = torch.randn(400, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    model = nn.Sequential(*layers, nn.Linear(32, 3)).eval()
    with torch.no_grad():
        labels = model(images).argmax(1)
    samples = Samples(images, labels)
    search, other, train = (samples.take(slice(at, at + 100)) for at in (0, 100, 200))
    task = Classification(None, search, calibration=train)
    return Material(Problem(model, images[:1], [Budget.parse(budget)], task), other)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The benchmark on that network alone; its words, with a folder of its own."""
    monkeypatch.setattr(searching, "material", made_up)
    monkeypatch.setattr(bench_agents, "NETWORKS", {NETWORK: None})
    monkeypatch.setattr(bench_agents, "BUDGETS", BUDGETS)
    monkeypatch.setattr(bench_agents, "get_ready", lambda cells: None)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, out: str = "out") -> Path:
        path = tmp_path / out / "runs.jsonl"
        assert bench_agents.main([*WORDS, "--out", str(path), *words]) == 0
        return tmp_path / out

    return run


def study() -> Study:
    named = Contender.all()
    return Study(named, (NETWORK,), BUDGETS, (4, 6), (0, 1))


def records(folder: Path) -> list[dict]:
    lines = (folder / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [{key: value for key, value in one.items() if key != "seconds"} for one in found]


def test_each_search_is_measured_on_the_images_that_it_did_not_see(bench) -> None:
    folder = bench("--only", "gp-rollout,tpe,uniform,macs=0.15")
    shared = made_up(NETWORK, "macs=0.15")
    asked = shared.problem
    found = records(folder)
    assert {(one["contender"], one["asked"], one["seed"]) for one in found} == {
        ("uniform", 0, 0),
        *(
            (name, count, seed)
            for name in ("gp-rollout", "tpe")
            for count in (4, 6)
            for seed in (0, 1)
        ),
    }
    for one in found:
        network = asked.network(one["kept"])
        assert one["accuracy"] == pytest.approx(accuracy(network, held_out(asked)), abs=0.011)
        assert one["other"] == pytest.approx(accuracy(network, shared.other), abs=0.011)
        assert asked.limits.fits(one["kept"])
        assert one["images"] == {"search": 100, "other": 100}
        assert one["curve"][-1][1] == one["accuracy"]
        assert one["made"] <= (one["asked"] or 1)


def test_it_goes_on_where_it_was_stopped(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench("--only", "random,cma-es", out="whole")
    part = bench("--only", "random", out="part")
    half = part / "runs.jsonl"
    text = half.read_text(encoding="utf-8")
    half.write_text(text[: len(text) // 2], encoding="utf-8")
    left = half.read_text(encoding="utf-8").count("\n")
    bench("--only", "random,cma-es", out="part")
    both = [
        {record.key: (record.curve, record.other) for record in Journal(path).of(study())}
        for path in (half, whole / "runs.jsonl")
    ]
    assert 0 < left < len(both[0])
    assert both[0] == both[1]

    def fail(*_: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(bench_agents, "run_contender", fail)
    bench("--only", "random,cma-es", out="part")


def test_records_of_another_agent_do_not_count(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench("--only", "gp-rollout,seed=0,macs=0.3")
    path = folder / "runs.jsonl"
    assert len(Journal(path).of(study())) == 2
    text = path.read_text(encoding="utf-8")
    changed = text.replace('"imitation": 20', '"imitation": 6')
    path.write_text(changed, encoding="utf-8")
    assert Journal(path).of(study()) == []
    path.write_text(text + changed, encoding="utf-8")
    assert len(Journal(path).of(study())) == 2, "and do not hide those with the settings of today"


def test_tables_and_pictures_come_into_the_page(
    bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs" / "agents.md"
    page.parent.mkdir()
    page.write_text("# A\n<!-- agents -->\nformer\n<!-- end of agents -->\nB\n", encoding="utf-8")
    monkeypatch.setattr(bench_agents, "PAGE", page)
    monkeypatch.setattr(bench_agents, "FIGURES", page.parent)
    bench("--docs", "--only", "random,uniform")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# A\n")
    assert text.endswith("\nB\n")
    assert "former" not in text
    assert f"{NETWORK} at `macs=0.15`" in text
    assert "was not run yet" in text
    assert "best accuracy so far" in (page.parent / "agents.svg").read_text("utf-8")


def test_a_journal_of_something_else_is_refused(
    bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"a": 1}\n', encoding="utf-8")
    assert bench_agents.main([*WORDS, "--out", str(path)]) == 2
    assert "not the journal of a contest" in capsys.readouterr().err


def test_a_search_that_is_interrupted_leaves_what_was_finished(
    bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = []

    def interrupted(task: object) -> list[searching.Record]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task)
        return searching.run_contender(task)

    monkeypatch.setattr(bench_agents, "run_contender", interrupted)
    path = tmp_path / "out" / "runs.jsonl"
    assert bench_agents.main([*WORDS, "--out", str(path), "--only", "random"]) == 130
    assert len(records(tmp_path / "out")) == 6
    assert "was not run yet" in capsys.readouterr().out


def test_nothing_begins_after_its_hours(bench, tmp_path: Path) -> None:
    folder = bench("--hours", "0", "--only", "random")
    assert not (folder / "runs.jsonl").exists()
