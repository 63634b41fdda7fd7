"""Strategies side by side."""

import shutil
from pathlib import Path

import pytest
import yaml
from flat_settings import settings_of
from rich.console import Console

from amc.policy import Budget
from amc.problem import Problem
from experiments.commands.benchmark import benchmark, best_of
from experiments.runs.results import RunResult, run_folders
from experiments.settings import BenchmarkSettings

NAMES = ("gp-rollout", "netadapt", "uniform", "manual")


@pytest.fixture(scope="session")
def compared(amc, weights, tmp_path_factory):
    """The folder of a benchmark of all four strategies."""
    here = tmp_path_factory.mktemp("benchmark")
    (here / "ratios.yaml").write_text('"stages.0.*": 0.3\n"stages.*": 0.5\n')
    words = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    quick = ("--episodes", 3, "--search-images", 60, "--calibration-images", 200)
    quick += ("--options.gp-rollout.updates", 2)
    netadapt = ("--options.netadapt.steps", 1, "--options.netadapt.reduction", 0.4)
    shown = amc.good(
        "benchmark",
        *(*words, *quick, *netadapt),
        *("--strategies", ", ".join(NAMES), "--manual", here / "ratios.yaml"),
        *("--finetune-epochs", 0.2, "--budget", "macs=0.6", "--out", here / "out"),
    )
    for name in NAMES:
        assert f"\n{name}" in shown
    return here / "out"


@pytest.fixture
def results(compared):
    return {name: RunResult.load(compared / name / "result.json") for name in NAMES}


def test_every_strategy_has_a_run_folder(compared):
    for name in NAMES:
        held = sorted(path.name for path in (compared / name).iterdir())
        assert held == [
            *("config.yaml", "journal.jsonl", "model.safetensors", "policy.json", "report.html"),
            "result.json",
        ]


def test_all_meet_the_same_budget_and_are_tuned_alike(results):
    for name, result in results.items():
        assert result.strategy == name
        assert result.costs["macs"].fraction <= 0.6
        assert result.budgets == (Budget("macs", 0.6),)
    assert len({result.finetune_steps for result in results.values()}) == 1
    assert all(result.finetuned for result in results.values())
    assert len({result.unpruned for result in results.values()}) == 1


def test_each_pays_for_its_own_evaluations(results):
    # An agent's candidate that comes again is not evaluated again.
    assert 1 < len(results["gp-rollout"].evaluations) <= 3
    assert len(results["uniform"].evaluations) == len(results["manual"].evaluations) == 1
    assert len(results["netadapt"].evaluations) > 1
    for result in results.values():
        assert [e.number for e in result.evaluations] == list(range(len(result.evaluations)))


def test_a_strategy_finds_the_same_beside_others_as_alone(amc, compared, tmp_path):
    for name in ("uniform", "gp-rollout"):
        alone = tmp_path / name
        settings = yaml.safe_load((compared / name / "config.yaml").read_text())
        assert settings["strategy"] == name
        amc.good("search", "--config", compared / name / "config.yaml", "--out", alone)
        for file in ("policy.json", "model.safetensors"):
            assert (alone / file).read_bytes() == (compared / name / file).read_bytes()


def test_the_folder_itself_holds_the_best_run_and_the_settings(compared, results):
    best = compared / max(results, key=lambda name: results[name].finetuned.holdout)
    for file in ("policy.json", "model.safetensors", "result.json"):
        assert (compared / file).read_bytes() == (best / file).read_bytes()
    settings = yaml.safe_load((compared / "config.yaml").read_text())
    assert settings["strategies"] == ",".join(NAMES)
    assert settings["options"] == {
        "gp-rollout": {"updates": 2},
        "netadapt": {"steps": 1, "reduction": 0.4},
    }


def loaded(folder):
    return [RunResult.load(run / "result.json") for run in run_folders(folder)]


def test_the_report_shows_them_all(compared):
    page = (compared / "report.html").read_text()
    for name in NAMES:
        assert name in page
    assert {result.strategy for result in loaded(compared)} == set(NAMES)


def test_its_settings_bring_the_same_again(amc, compared, tmp_path):
    words = ("--config", compared / "config.yaml", "--strategies", "uniform,manual")
    amc.good("benchmark", *words, "--options", "{}", "--out", tmp_path / "again")
    for name in ("uniform", "manual"):
        ours, theirs = ((out / name / "policy.json") for out in (tmp_path / "again", compared))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_benchmark_in_the_folder_of_another_shows_its_own_runs_only(amc, compared, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(compared, out)
    words = ("--config", compared / "config.yaml", "--strategies", "uniform", "--out", out)
    amc.good("benchmark", *words, "--options", "{}")
    assert [result.strategy for result in loaded(out)] == ["uniform"]
    assert (out / "gp-rollout" / "result.json").is_file(), (
        "nothing of the one before is thrown away"
    )


def test_the_best_is_the_most_accurate_after_fine_tuning(results):
    found = best_of(list(results.values()))
    assert found.finetuned.holdout == max(r.finetuned.holdout for r in results.values())


class First:
    """A strategy of one's own that looks at one candidate and remembers the problem."""

    seen: list[Problem] = []  # noqa: RUF012

    def search(self, problem, seed):
        self.seen.append(problem)
        problem.restart()
        problem.evaluate(problem.limits.smallest)
        return problem.result()


def test_a_class_of_ones_own_takes_part_on_the_same_problem(weights, tmp_path, monkeypatch):
    (tmp_path / "own_strategy.py").write_text(
        f"import sys\nFirst = sys.modules[{__name__!r}].First\nclass Second(First): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = settings_of(
        BenchmarkSettings,
        model="resnet8",
        dataset="digits",
        width=0.5,
        weights=str(weights),
        calibration_images=0,
        search_images=40,
        strategies="own_strategy:First,own_strategy:Second",
        out=str(tmp_path / "out"),
    )
    results = benchmark(config, Console(quiet=True))
    assert tuple(result.strategy for result in results) == config.strategies
    assert {Path(result.config["out"]).name for result in results} == {
        "own_strategy.First",
        "own_strategy.Second",
    }
    assert len(First.seen) == 2
    assert First.seen[0].pruner is First.seen[1].pruner


def test_more_seeds_can_be_asked_for_later(amc, weights, tmp_path):
    words = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    words += ("--search-images", 60, "--calibration-images", 100, "--no-measure")
    words += ("--strategies", "random,uniform", "--episodes", 3, "--out", tmp_path / "out")
    amc.good("benchmark", *words)
    first = (tmp_path / "out" / "random" / "journal.jsonl").read_bytes()
    shown = amc.good("benchmark", *words, "--seeds", 2)
    assert "mean of 2 seeds" in shown
    assert "Over 2 seeds" in shown
    assert (tmp_path / "out" / "random" / "journal.jsonl").read_bytes() == first
    found = {run.name: RunResult.load(run / "result.json") for run in run_folders(tmp_path / "out")}
    assert {name: one.seed for name, one in found.items()} == {
        **{"random": 0, "random-seed1": 1},
        **{"uniform": 0, "uniform-seed1": 1},
    }
    # As `amc search` with that seed.
    settings = tmp_path / "out" / "random-seed1" / "config.yaml"
    amc.good("search", "--config", settings, "--out", tmp_path / "alone")
    ours, theirs = (folder / "policy.json" for folder in (tmp_path / "alone", settings.parent))
    assert ours.read_bytes() == theirs.read_bytes()
