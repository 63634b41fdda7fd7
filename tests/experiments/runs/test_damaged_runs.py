"""Whatever has become of a run's files, each command that reads them says so in one sentence."""

import json
import shutil

import pytest
import yaml

RESULTS = {
    "null settings": lambda result: {**result, "config": None},
    "settings of other types": lambda result: {
        **result,
        "config": {**result["config"], "model": None, "budget": [1]},
    },
    "no groups": lambda result: {**result, "groups": []},
    "nan": lambda result: {**result, "searched": {"holdout": float("nan"), "test": 0.5}},
    "text": lambda result: "result",
}
SETTINGS = {
    "null model": {"model": None},
    "model as a list": {"model": ["resnet8"]},
    "width as a word": {"width": "wide"},
    "width out of range": {"width": 0},
    "seed as a truth": {"seed": True},
    "null data set": {"dataset": None},
    "weights as a number": {"weights": 3},
}


@pytest.fixture
def run(uniform_run, tmp_path):
    """A finished run, to be damaged."""
    return shutil.copytree(uniform_run, tmp_path / "run")


def refused(answer, *words):
    assert answer.code == 2, answer.out
    assert answer.err.startswith("amc: error: ")
    assert answer.err.count("\n") == 1
    for word in ("run/", *words):
        assert word in answer.err


@pytest.mark.parametrize("damage", RESULTS)
def test_a_damaged_result(damage, amc, run):
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(RESULTS[damage](result)))
    for command in ("report", "trust", "export"):
        refused(amc(command, run), "result.json: not the result of a pruning run", "again")
    assert "damaged" in amc.good("runs", run)


@pytest.mark.parametrize("damage", SETTINGS)
def test_damaged_settings(damage, amc, run):
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**settings, **SETTINGS[damage]}))
    for format_ in ("onnx", "torch", "torch-pruning"):
        refused(amc("export", run, "--format", format_), "config.yaml: not the settings", "again")
    amc.good("runs", run)
    amc.good("report", run)  # Which reads the result alone.


@pytest.mark.parametrize("text", ["{", "- a", "3", "a: \x00", "", "!!python/name:os.system"])
def test_settings_that_are_none(text, amc, run):
    (run / "config.yaml").write_text(text)
    refused(amc("export", run), "config.yaml: not the settings of a run", "again")
    amc.good("runs", run)


def test_the_list_of_runs_says_what_is_wrong_with_a_training(amc, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "trained")
    (tmp_path / "trained" / "result.json").write_text('{"accuracy": {"holdout": 2, "test": 0.5}}')
    shown = " ".join(amc.good("runs", tmp_path).split())
    assert "damaged" in shown
    assert "its accuracy is 2" in shown
