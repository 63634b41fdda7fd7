"""Results as files."""

import functools
import json
import operator

import pytest

from amc.history import Outcome
from amc.policy import Budget, GroupChoice
from experiments.runs.results import CostChange, RunResult, Scores, run_folders


def result(**changes):
    values = {
        "strategy": "gp-rollout",
        "model": "resnet8",
        "dataset": "digits",
        "seed": 3,
        "budgets": (Budget("macs", 0.5), Budget("params", 0.4)),
        "unpruned": Scores(0.9, 0.8),
        "searched": Scores(0.7, 0.6),
        "finetuned": Scores(0.85, 0.75),
        "costs": {"macs": CostChange("MACs", 100.0, 49.0)},
        "groups": (GroupChoice("a", 3, 8), GroupChoice("b", 8, 8)),
        "evaluations": (Outcome(0, (3, 8), 0.7, {"macs": 49.0}, 0.25),),
        "seconds": {"prepare": 1.0, "search": 2.5, "finetune": 0.0},
        "tuned_steps": 4,
        "finetune_steps": 5,
        "config": {"out": "runs/a", "options": {"sigma": 0.2}},
        "machine": {"torch": "2"},
    }
    return RunResult(**{**values, **changes})


@pytest.mark.parametrize("changes", [{}, {"finetuned": None}, {"evaluations": (), "budgets": ()}])
def test_a_saved_result_is_read_back_equal(tmp_path, changes):
    made = result(**changes)
    made.save(tmp_path / "result.json")
    assert RunResult.load(tmp_path / "result.json") == made


def test_a_strategy_of_an_earlier_release_is_read_under_its_present_name(tmp_path):
    for then, now in (("ddpg", "gp-rollout"), ("ddpg-paper", "ddpg-paper"), ("uniform", "uniform")):
        result(strategy=then, config={"strategy": then}).save(tmp_path / "result.json")
        data = json.loads((tmp_path / "result.json").read_text())
        (tmp_path / "result.json").write_text(json.dumps({**data, "schema_version": 1}))
        found = RunResult.load(tmp_path / "result.json")
        assert (found.strategy, found.config["strategy"]) == (now, now)


def test_what_an_earlier_release_called_images_and_accuracies_are_samples_and_scores(tmp_path):
    made = result(samples={"holdout": 7})
    data = {**made.plain(), "images": {"holdout": 7}, "schema_version": 2}
    del data["samples"], data["pace"]
    for one in data["evaluations"]:
        one["accuracy"] = one.pop("score")
    (tmp_path / "result.json").write_text(json.dumps(data, default=str))
    found = RunResult.load(tmp_path / "result.json")
    assert found.samples == {"holdout": 7}
    assert found.evaluations == made.evaluations


def test_a_cost_knows_what_is_left():
    assert result().costs["macs"].fraction == 0.49


def test_a_missing_result_says_how_to_make_one(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no result at .*`amc search --out RUN` writes one"
    ):
        RunResult.load(tmp_path / "result.json")


def broken(text):
    """Ways in which a good file can go bad."""
    data = json.loads(text)
    without = {key: value for key, value in data.items() if key != "costs"}
    return {
        "half": text[: len(text) // 2],
        "empty": "",
        "list": "[]",
        "number": "3",
        "no version": json.dumps({k: v for k, v in data.items() if k != "schema_version"}),
        "new version": json.dumps({**data, "schema_version": 99}),
        "without costs": json.dumps(without),
        "with more": json.dumps({**data, "extra": 1}),
        "odd groups": json.dumps({**data, "groups": [{"name": "a"}]}),
        "odd evaluations": json.dumps({**data, "evaluations": 3}),
        "odd accuracy": json.dumps({**data, "unpruned": 0.9}),
    }


@pytest.mark.parametrize("fault", broken('{"schema_version": 1}'))
def test_a_corrupt_result_is_named(tmp_path, fault):
    path = tmp_path / "result.json"
    result().save(path)
    path.write_text(broken(path.read_text())[fault])
    with pytest.raises(ValueError, match=r"result\.json: not the result of a pruning run .*again"):
        RunResult.load(path)


WRONG = {
    ("seed",): ("0", 'seed is "0"; it must be a whole number'),
    ("finetune_steps",): (True, "finetune_steps is true; it must be a whole number"),
    ("most_evaluations",): (-1, "most_evaluations is -1; it must be 0 or more"),
    ("strategy",): (None, "strategy is null; it must be a text"),
    ("model",): ("\ud800", "has half a letter"),
    ("budgets",): ("macs=0.5", "it must be a list"),
    ("budgets", 1): ("mac:0.5", "budget 'mac:0.5' has the wrong form"),
    ("granularity",): ("atom", "unknown granularity 'atom'"),
    ("unpruned", "test"): (1.5, "accuracy 1.5 is out of its range"),
    ("searched", "holdout"): (float("nan"), "searched.holdout is NaN; it must be a finite number"),
    ("finetuned", "more"): (0.5, "finetuned.more is not known"),
    ("costs",): ({}, "costs are empty"),
    ("costs", "macs", "unpruned"): (0, "costs.macs.unpruned is 0; it must be 1e-30 or more"),
    ("costs", "macs", "pruned"): (10**400, "costs.macs.pruned is 1000"),
    ("groups",): ([], "groups are empty"),
    ("groups", 0, "kept"): (9, "group 'a' keeps 9 of 8 units"),
    ("groups", 1, "kept"): (-1, "group 'b' keeps -1 of 8 units"),
    ("evaluations", 0, "kept"): ([3], "evaluation 0 has 1 kept counts for 2 groups"),
    ("evaluations", 0, "kept", 0): (-1, "evaluation 0 keeps -1 of 8 units of 'a'"),
    ("evaluations", 0, "score"): (-0.1, "evaluation 0 has accuracy -0.1"),
    ("evaluations", 0, "costs"): ({}, "evaluation 0 does not have the costs"),
    ("evaluations", 0, "seconds"): (-1.0, "evaluation 0 has a cost or a time below 0"),
    ("seconds", "search"): (float("inf"), "seconds.search is Infinity; it must be a finite"),
    ("samples",): ({"test\n": 1.5}, "samples.'test\\n' is 1.5; it must be a whole number"),
    ("config", "options"): (None, "config: options: null is no value for it"),
    ("config", "width"): (0.0, "--width is 0.0; it must be above 0"),
    ("trust",): ({}, "trust.policies is missing"),
    ("stored",): ([{"layer": "a", "weights": 2, "kept": 3, "bytes": {}}], "'a' keeps 3 of 2"),
}


@pytest.mark.parametrize(("at", "wrong"), WRONG.items(), ids=[".".join(map(str, a)) for a in WRONG])
def test_a_wrong_part_of_a_result_is_named_with_what_it_must_be(at, wrong, tmp_path):
    path = tmp_path / "result.json"
    result().save(path)
    data = json.loads(path.read_text())
    *outer, last = at
    functools.reduce(operator.getitem, outer, data)[last] = wrong[0]
    path.write_text(json.dumps(data))
    with pytest.raises(
        ValueError, match=r"result\.json: not the result .*; name another run, or run it again"
    ) as told:
        RunResult.load(path)
    assert wrong[1] in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    result().save(tmp_path / "result.json")
    monkeypatch.setattr("experiments.runs.results.MAX_BYTES", 100)
    with pytest.raises(ValueError, match="too large"):
        RunResult.load(tmp_path / "result.json")


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "result.json").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"result\.json: not the result"):
        RunResult.load(tmp_path / "result.json")


def put(folder, **changes):
    result(**changes).save(folder / "result.json")
    (folder / "policy.json").write_text("{}")


def loaded(folder):
    return [RunResult.load(run / "result.json") for run in run_folders(folder)]


def test_a_folder_is_one_run_or_all_that_lie_in_it(tmp_path):
    put(tmp_path / "one", seed=1)
    put(tmp_path / "two", seed=2)
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "result.json").write_text('{"accuracy": 1}')
    assert [run.seed for run in loaded(tmp_path / "two")] == [2]
    assert [run.seed for run in loaded(tmp_path)] == [1, 2]


def test_a_benchmarks_own_copy_of_its_best_run_does_not_count_twice(tmp_path):
    put(tmp_path, seed=1)
    put(tmp_path / "one", seed=1)
    put(tmp_path / "two", seed=2)
    assert [run.seed for run in loaded(tmp_path)] == [1, 2]


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no result at"):
        loaded(tmp_path)
