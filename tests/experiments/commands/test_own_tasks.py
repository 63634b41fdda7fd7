"""Tasks of a user's own on the command line: every command knows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spotted_scenes
from command_line import CommandLine

OWN = ("--model", "spotted_scenes:network", "--task", "spotted_scenes:task")
FEW = ("--budget", "macs=0.5", "--episodes", "12", "--strategy", "random", "--round-to", "1")


@pytest.fixture(scope="module")
def run(amc: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("own") / "run"
    amc.good(
        "search", *OWN, *FEW, "--model-args", "width=10", "--finetune-epochs", "1", "--out", out
    )
    return out


def test_a_search_tells_the_tasks_score_by_its_name(run: Path) -> None:
    result = json.loads((run / "result.json").read_text("utf-8"))
    assert result["score"]["name"] == "mean IoU"
    assert result["dataset"] == "spotted_scenes:task"
    assert 0 <= result["searched"]["test"] <= 1
    assert result["samples"] == {"search": 48, "holdout": 48, "test": 32}
    page = (run / "report.html").read_text("utf-8")
    assert "mean IoU" in page
    assert "accuracy" not in page.lower()
    assert "--task spotted_scenes:task" in page


def test_a_finished_run_is_told_and_another_task_is_another_run(
    amc: CommandLine, run: Path
) -> None:
    words = ("--model-args", "width=10", "--finetune-epochs", "1", "--out", run)
    assert "nothing is left to do" in amc("search", *OWN, *FEW, *words).out
    other = ("--model", "spotted_scenes:network", "--task", "spotted_scenes:shrinking")
    assert "holds another run: --task was" in amc("search", *other, *FEW, *words).err


def test_arguments_reach_the_network(amc: CommandLine, run: Path, tmp_path: Path) -> None:
    args = ("--model-args", "width=6,doubled=true")
    amc.good("search", *OWN, *FEW, *args, "--strategy", "uniform", "--out", tmp_path / "a")
    groups = json.loads((tmp_path / "a" / "result.json").read_text("utf-8"))["groups"]
    assert {group["total"] for group in groups} == {12}


def test_the_policy_is_applied_the_run_exported_trusted_and_listed(
    amc: CommandLine, run: Path, tmp_path: Path
) -> None:
    pruned = ("--policy", run / "policy.json", "--model-args", "width=10", "--out", tmp_path / "p")
    assert "mean IoU on held-out / test samples" in amc.good("prune", *OWN, *pruned)
    out = tmp_path / "x.onnx"
    assert "answers differ" in amc.good("export", run, *OWN, "--measure", 0.1, "--out", out)
    trusted = amc.good("trust", run, *OWN, "--policies", "3")
    assert "with the mean IoU afterwards" in trusted
    assert "mean IoU" in amc.good("runs", run.parent)
    assert "report" in amc.good("report", run, "--out", tmp_path / "r.html")


def test_code_that_only_a_run_folder_names_is_not_imported(amc: CommandLine, run: Path) -> None:
    answer = amc("export", run, "--model", "spotted_scenes:network")
    assert answer.code == 2
    assert "add --task spotted_scenes:task" in answer.err


def test_of_a_score_that_goes_down_the_smallest_wins(amc: CommandLine, tmp_path: Path) -> None:
    words = ("--model", "spotted_scenes:network", "--task", "spotted_scenes:shrinking")
    told = amc.good(
        "benchmark", *words, "--budget", "macs=0.5", "--episodes", 6, "--strategies",
        "uniform,random", "--out", tmp_path / "b",
    )  # fmt: skip
    assert "size of answers (units) on held-out samples (lower is better)" in told
    results = [
        json.loads((tmp_path / "b" / name / "result.json").read_text("utf-8"))
        for name in ("uniform", "random")
    ]
    best = json.loads((tmp_path / "b" / "result.json").read_text("utf-8"))
    assert best["searched"]["holdout"] == min(one["searched"]["holdout"] for one in results)
    fitting = [one for one in results[1]["evaluations"] if one["seen"] is None]
    assert results[1]["searched"]["holdout"] <= min(one["score"] for one in fitting) + 1e-6


def test_a_search_goes_on_behind_a_score_that_failed(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--model", "spotted_scenes:network", "--task", "spotted_scenes:breaking", *FEW)
    whole = tmp_path / "whole"
    amc.good("search", *words, "--out", whole)
    with monkeypatch.context() as patch:
        patch.setattr(spotted_scenes, "FAILS_AT", 6)
        broken = amc("search", *words, "--out", tmp_path / "run")
    assert broken.code == 2
    assert "score_func fails on a network (RuntimeError: the camera is gone)" in broken.err
    assert "the same command goes on from what is finished" in broken.err
    assert "2 evaluations are finished" in amc.good("search", *words, "--out", tmp_path / "run")
    one, other = (
        json.loads((path / "result.json").read_text("utf-8")) for path in (whole, tmp_path / "run")
    )
    scores = [[(e["kept"], e["score"]) for e in result["evaluations"]] for result in (one, other)]
    assert scores[0] == scores[1]


TUNED = ("--finetune-epochs", "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--task", "spotted_scenes:nothing"), "gave NoneType; it must return an amc.Task"),
        (("--task", "spotted_scenes:failing"), "cannot be made (no such camera)"),
        (("--task", "spotted_scenes:not_a_number"), "score_func gave nan; return a finite"),
        (("--task", "spotted_scenes:of_no_batches"), "return a pair of the task and example"),
        (("--task", "spotted_scenes:of_other_inputs"), "fails on inputs of (1, 3, 8, 8)"),
        (("--task", "spotted_scenes:shuffled"), "neither shuffle nor augment it"),
        (("--task", "spotted_scenes:taks"), "has no 'taks'"),
        (("--task", "task"), "it must be package.module:function"),
        (("--task", "spotted_scenes:task", "--dataset", "digits"), "are both given"),
        (("--task", "spotted_scenes:task", "--model-args", "depth=3"), "takes depth and that"),
        (("--task", "spotted_scenes:task", "--model-args", "3"), "it must be name=value"),
        (("--task", "spotted_scenes:task", "--model", "resnet8"), "for the images of a --dataset"),
        (("--model", "resnet8", "--model-args", "a=1"), "resnet8 takes none"),
        (("--model", "timm:resnet18", "--task", "spotted_scenes:task"), "pip install timm"),
        (("--model", "transformers:nowhere", "--task", "spotted_scenes:task"), "no config.json"),
        (("--task", "spotted_scenes:shrinking", "--racing", "0.01"), "leave racing out"),
        (
            ("--task", "spotted_scenes:shrinking", *TUNED),
            "there is nothing to train on; give train",
        ),
        (("--task", "spotted_scenes:flat", *TUNED), "the loss has no gradient"),
        (("--task", "spotted_scenes:breaking_loss", *TUNED), "loss_func fails on outputs"),
        (("--task", "spotted_scenes:tuning", *TUNED, "--distill", "0.5"), "leave the flag out"),
        (("--task", "spotted_scenes:tuning", *TUNED, "--patience", "2"), "leave the flag out"),
        (("--task", "spotted_scenes:shrinking", "--criterion", "taylor"), "there are none"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    words: tuple[str, ...], said: str, amc: CommandLine, tmp_path: Path
) -> None:
    first = () if "--model" in words else ("--model", "spotted_scenes:network")
    answer = amc("search", *first, *words, *FEW, "--out", tmp_path / "run")
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not list(tmp_path.glob("run/*.json*"))  # It was told before anything was searched.


def test_training_takes_no_task(amc: CommandLine) -> None:
    assert "amc train trains on images" in amc("train", *OWN).err
