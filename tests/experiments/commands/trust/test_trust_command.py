"""`amc trust` on a small trained network, from a run's folder to its report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from experiments.commands.trust import trusting
from experiments.commands.trust.measuring import Meter
from experiments.runs.results import RunResult

FEW = ("--policies", 4, "--finetune-epochs", 0.5, "--train-images", 256)


@pytest.fixture(scope="module")
def sampled(search, tmp_path_factory) -> Path:
    """A random search of its own, as `amc trust` adds to it."""
    run = search("--strategy", "random", "--episodes", 8, "--budget", "macs=0.4")
    copy = tmp_path_factory.mktemp("trust") / "run"
    shutil.copytree(run, copy)
    return copy


@pytest.fixture(scope="module")
def tried(amc, sampled) -> tuple[Path, str]:
    """The run's folder, and what was printed."""
    return sampled, amc.good("trust", sampled, *FEW)


def test_a_run_is_told_how_well_each_score_foretold_the_accuracy(tried) -> None:
    folder, out = tried
    found = RunResult.load(folder / "result.json").trust
    assert [one.score for one in found.correlations] == [
        *("no refit", "refit", "refit + recalibration"),
    ]
    assert found.own == "refit"
    assert all(-1 <= one.low <= one.rho <= one.high <= 1 for one in found.correlations)
    assert re.search(r"Of 4 policies .* the rank correlation of the search's score \(refit\)", out)


def test_the_search_s_score_is_what_the_search_measured(tried) -> None:
    result = RunResult.load(tried[0] / "result.json")
    for one in result.trust.policies:
        evaluated = result.evaluations[one.number]
        assert evaluated.kept == one.kept
        assert evaluated.score == one.searched
        assert one.scores["refit"] == pytest.approx(one.searched, abs=0.01)
        assert one.scores["no refit"] != one.scores["refit"]
    best = max(result.evaluations, key=lambda outcome: outcome.score)
    assert best.kept in {one.kept for one in result.trust.policies}


def test_the_report_says_how_far_the_score_may_be_trusted(tried) -> None:
    page = (tried[0] / "report.html").read_text(encoding="utf-8")
    section = page.split('<section id="trust">')[1].split("</section>")[0]
    assert "the rank correlation of the search" in section
    assert "refit + recalibration" in section
    assert "<svg" in section


def test_a_report_made_again_keeps_it(amc, tried, tmp_path: Path) -> None:
    amc.good("report", tried[0], "--out", tmp_path / "again.html")
    assert '<section id="trust">' in (tmp_path / "again.html").read_text(encoding="utf-8")


def test_stopped_and_started_again_it_goes_on(amc, tried, tmp_path, monkeypatch) -> None:
    whole = RunResult.load(tried[0] / "result.json").trust
    folder = tmp_path / "run"
    shutil.copytree(tried[0], folder)
    journal = folder / trusting.JOURNAL
    lines = journal.read_text(encoding="utf-8").splitlines()
    journal.write_text("\n".join(lines[:2]) + "\n" + lines[2][:40], encoding="utf-8")
    asked, really = [], Meter.try_policy

    def counted(self, outcome, on_step=None):
        asked.append(outcome.kept)
        return really(self, outcome, on_step)

    monkeypatch.setattr(Meter, "try_policy", counted)
    amc.good("trust", folder, *FEW)
    again = RunResult.load(folder / "result.json").trust
    assert len(asked) == 2
    assert again.policies == whole.policies
    assert again.correlations == whole.correlations
    # Other terms are another measurement; the old lines stay.
    amc.good("trust", folder, *FEW[:-1], 128, "--policies", 3)
    assert len(asked) == 5
    assert len(journal.read_text(encoding="utf-8").splitlines()) >= 7


def test_without_a_run_policies_are_drawn_at_random(amc, weights, tmp_path: Path) -> None:
    words = (
        *("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights),
        *("--budget", "macs=0.5", "--round-to", 1, "--episodes", 4, "--calibration-images", 0),
        *("--policies", 3, "--finetune-epochs", 0.2, "--out", tmp_path / "drawn"),
    )
    amc.good("trust", *words)
    result = RunResult.load(tmp_path / "drawn" / "result.json")
    assert result.strategy == "random"
    assert [one.score for one in result.trust.correlations] == [
        *("no refit", "no refit + recalibration"),
    ]
    before = (tmp_path / "drawn" / "policy.json").stat().st_mtime_ns
    amc.good("trust", *words)
    assert (tmp_path / "drawn" / "policy.json").stat().st_mtime_ns == before
    line = json.loads((tmp_path / "drawn" / trusting.JOURNAL).read_text("utf-8").splitlines()[0])
    assert line["terms"]["problem"]["budget"] == "macs=0.5"


def refused(amc, *words: object) -> str:
    answer = amc("trust", *words)
    assert answer.code == 2
    return answer.err


def test_what_cannot_be_tried_is_refused(amc, uniform_run, sampled, tmp_path: Path) -> None:
    assert "too few to be put in order" in refused(amc, uniform_run, *FEW)
    assert "has a problem of its own; leave out" in refused(amc, sampled, "--budget", "macs=0.2")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "config.yaml").write_text("strategies: gp-rollout,tpe\n", encoding="utf-8")
    assert "name one of its runs: gp-rollout, tpe" in refused(amc, tmp_path / "both")
    assert "no result at" in refused(amc, tmp_path)
    assert "--policies is 2; it must be 3 or more" in refused(amc, sampled, "--policies", 2)
    assert "did you mean --policies" in refused(amc, sampled, "--polices", 4)
    told = refused(amc, sampled, "--finetune-schedule", "cubic")
    assert "unknown flag --finetune-schedule" in told
