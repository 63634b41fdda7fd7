"""Runs that were cut short and go on; what is left of them; and folders that hold another run.

That a run which was killed ends as if it never had been is in test_killed_runs.py.
"""

import json
import resource
import shutil

import pytest
import yaml

import amc.evaluator as amc_evaluator
import netadapt.trials
from amc.finetuning import fitting
from amc.policy import Policy
from experiments.commands.runs import entry
from experiments.runs.journal_file import JOURNAL_FILE, RunJournal

OWN = ("--model", "striped_images:network", "--dataset", "striped_images:images")
SMALL = ("--calibration-images", "60", "--search-images", "30", "--round-to", "1")
FEW = (*OWN, *SMALL, "--budget", "macs=0.4")
RANDOM = (*FEW, "--strategy", "random", "--episodes", "8")
NETADAPT = (*FEW, "--strategy", "netadapt", "--options.steps", "1", "--options.reduction", "0.2")
TUNED = ("--finetune-epochs", "4", "--patience", "4")


@pytest.fixture(scope="session")
def whole(amc, tmp_path_factory):
    """The folder of a search with these words that nothing interrupted."""
    known = {}

    def searched(words):
        if words not in known:
            known[words] = tmp_path_factory.mktemp("whole") / "run"
            amc.good("search", *words, "--out", known[words])
        return known[words]

    return searched


class Calls:
    """Counts the calls of a function, and fails one of them."""

    def __init__(self, function, error=None, at=-1):
        self.function, self.error, self.at, self.count = function, error, at, 0

    def __call__(self, *args, **settings):
        if self.count == self.at:
            raise self.error
        self.count += 1
        return self.function(*args, **settings)


def failing(monkeypatch, module, name, error=None, at=-1):
    calls = Calls(getattr(module, name), error, at)
    monkeypatch.setattr(module, name, lambda *args, **settings: calls(*args, **settings))
    return calls


def same(run, other):
    for file in ("policy.json", "model.safetensors"):
        assert (run / file).read_bytes() == (other / file).read_bytes()
    ours, theirs = (json.loads((out / "result.json").read_text()) for out in (run, other))
    for result in (ours, theirs):
        del result["seconds"], result["pace"], result["config"]["out"]
        assert all(evaluation.pop("seconds") > 0 for evaluation in result["evaluations"])
    assert ours == theirs
    return True


def test_ctrl_c_leaves_the_best_policy_so_far_and_says_how_to_go_on(
    amc, whole, tmp_path, monkeypatch
):
    out, usual = tmp_path / "my run", whole(RANDOM)
    with monkeypatch.context() as patch:
        failing(patch, amc_evaluator, "ready_score", KeyboardInterrupt(), 5)
        answer = amc("search", *RANDOM, "--out", out)
    evaluations = json.loads((usual / "result.json").read_text())["evaluations"][:5]
    best = max(evaluations, key=lambda evaluation: evaluation["score"])
    assert answer.code == 130
    assert f"accuracy {best['score']:.4f}" in answer.err
    assert f"`amc search --config '{out}/config.yaml' {' '.join(OWN)}` goes on" in answer.err
    assert answer.err.count("\n") == 1
    policy = Policy.load(out / "policy.json")
    assert list(policy.kept) == best["kept"]
    assert policy.origin["interrupted"] == "after 5 evaluations"
    assert not (out / "result.json").exists()
    calls = failing(monkeypatch, amc_evaluator, "ready_score")
    shown = amc.good("search", "--config", out / "config.yaml", *OWN)
    assert f"goes on in {out}, where 5 evaluations are finished" in shown
    assert calls.count == 3, "what was evaluated is not evaluated again"
    assert same(out, usual)


def test_ctrl_c_before_the_budget_holds_says_so(amc, whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        failing(patch, netadapt.trials, "fast_score", KeyboardInterrupt(), 3)
        answer = amc("search", *NETADAPT, "--out", out)
    assert answer.code == 130
    assert "after 3 evaluations, not yet within the budget" in answer.err
    assert Policy.load(out / "policy.json").origin["interrupted"].endswith("within the budget")
    calls = failing(monkeypatch, netadapt.trials, "fast_score")
    amc.good("search", *NETADAPT, "--out", out)
    evaluations = json.loads((out / "result.json").read_text())["evaluations"]
    assert calls.count == len(evaluations) - 3
    assert same(out, whole(NETADAPT))
    assert not (out / "checkpoints").exists()


def test_how_many_processes_there_are_and_how_patient_is_no_other_run(
    amc, whole, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        failing(patch, netadapt.trials, "fast_score", KeyboardInterrupt(), 3)
        assert amc("search", *NETADAPT, "--options.timeout", "9", "--out", out).code == 130
    amc.good("search", *NETADAPT, "--options.jobs", "2", "--out", out)
    usual = whole(NETADAPT)
    assert (out / "policy.json").read_bytes() == (usual / "policy.json").read_bytes()
    assert (out / "model.safetensors").read_bytes() == (usual / "model.safetensors").read_bytes()


def test_ctrl_c_before_anything_is_evaluated_writes_no_policy(amc, tmp_path, monkeypatch):
    failing(monkeypatch, amc_evaluator, "ready_score", KeyboardInterrupt(), 0)
    answer = amc("search", *RANDOM, "--out", tmp_path / "run")
    assert (answer.code, "nothing was evaluated yet" in answer.err) == (130, True)
    assert not (tmp_path / "run" / "policy.json").exists()


@pytest.mark.parametrize("schedule", ["one-shot", "linear"])
def test_passes_of_fine_tuning_that_are_finished_are_not_made_again(
    schedule, amc, whole, tmp_path, monkeypatch
):
    words = (*FEW, "--strategy", "uniform", *TUNED, "--finetune-schedule", schedule)
    out, usual = tmp_path / "run", whole((*words, "--finetune-stages", "2"))
    steps = json.loads((usual / "result.json").read_text())["finetune_steps"]
    learner = fitting._Learner
    with monkeypatch.context() as patch:
        failing(patch, learner, "step", KeyboardInterrupt(), steps - 1)
        answer = amc("search", *words, "--finetune-stages", "2", "--out", out)
    assert answer.code == 130
    assert f"the policy is found and in {out / 'policy.json'}" in answer.err
    calls = failing(monkeypatch, learner, "step")
    amc.good("search", *words, "--finetune-stages", "2", "--out", out)
    assert 1 <= calls.count <= 2
    assert same(out, usual)


def test_a_finished_run_is_told_again_and_left_as_it_is(amc, whole, monkeypatch):
    out = whole(RANDOM)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    calls = failing(monkeypatch, amc_evaluator, "ready_score")
    shown = amc.good("search", *RANDOM, "--out", out)
    assert f"{out} is finished" in shown
    assert "--overwrite begins anew" in shown
    assert f"report: {out / 'report.html'}" in shown
    assert calls.count == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_run_killed_right_after_its_result_keeps_no_checkpoints(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(NETADAPT), out)
    (out / "checkpoints").mkdir()
    (out / "checkpoints" / "netadapt-3.safetensors").touch()
    assert "is finished" in amc.good("search", *NETADAPT, "--out", out)
    assert not (out / "checkpoints").exists()
    assert same(out, whole(NETADAPT))


def test_a_training_killed_before_its_settings_were_written_has_them(amc, whole_training, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole_training, out)
    (out / "config.yaml").unlink()
    (out / "result.json").unlink()
    amc.good(*TRAIN, "--out", out)
    assert {path.name for path in out.iterdir()} == {path.name for path in whole_training.iterdir()}


def test_overwrite_begins_anew(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    words = (*FEW, "--strategy", "uniform", "--out", out)
    amc.good("search", *words, "--overwrite")
    assert same(out, whole((*FEW, "--strategy", "uniform")))
    assert "is finished" in amc.good("search", "--config", out / "config.yaml", *OWN)


def test_overwrite_with_bad_settings_takes_nothing_away(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    assert amc("search", *RANDOM, "--max-ratio", "0.1", "--out", out, "--overwrite").code == 2
    assert "is finished" in amc.good("search", *RANDOM, "--out", out)


def test_bad_settings_leave_no_folder(amc, tmp_path):
    answer = amc("search", *FEW, "--budget", "macs=0.001", "--out", tmp_path / "run")
    assert answer.code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (("--seed", "1"), "--seed was 0 and is 1"),
        (("--criterion", "l2"), "--criterion was l1 and is l2"),
        (("--strategy", "gp-rollout", "--seed", "1"), "--seed was 0 and is 1"),
        (("--strategy", "gp-rollout"), "--strategy was random and is gp-rollout"),
        (("--finetune-epochs", "1"), "--finetune-epochs was 0.0 and is 1.0"),
        (("--model", "striped_images:other"), "--model was striped_images:network and is"),
    ],
)
def test_another_run_in_the_folder_is_refused_by_the_first_difference(
    words, difference, amc, whole
):
    out = whole(RANDOM)
    answer = amc("search", *RANDOM, *words, "--out", out)
    assert answer.code == 2
    assert f"{out} holds another run: {difference}" in answer.err
    assert "--out" in answer.err
    assert "--overwrite" in answer.err


@pytest.mark.parametrize("what", ["weights", "images"])
def test_other_weights_or_images_under_the_same_name_are_refused(
    what, amc, whole, tmp_path, monkeypatch
):
    import striped_images

    out = whole(RANDOM)
    if what == "weights":
        monkeypatch.setattr(striped_images, "SEED", 1)
    else:
        monkeypatch.setattr(striped_images, "BRIGHTNESS", 99)
    answer = amc("search", *RANDOM, "--out", out)
    assert answer.code == 2
    assert f"the {what} are not those that it was begun with" in answer.err


def test_files_are_compared_by_what_they_hold(amc, tmp_path):
    ratios, out = tmp_path / "ratios.yaml", tmp_path / "run"
    words = (*FEW, "--strategy", "manual", "--options.file", ratios, "--out", out)
    ratios.write_text('"*": 0.5\n')
    amc.good("search", *words)
    assert "is finished" in amc.good("search", *words)
    ratios.write_text('"*": 0.6\n')
    assert "what --options.file names is not what it was" in amc("search", *words).err


def test_results_without_a_journal_are_not_written_over(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    (out / JOURNAL_FILE).unlink()
    answer = amc("search", *RANDOM, "--out", out)
    assert answer.code == 2
    assert "holds results without a journal" in answer.err
    assert not (out / JOURNAL_FILE).exists()


def test_the_second_process_in_a_folder_is_refused(amc, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with RunJournal(out):
        answer = amc("search", *RANDOM, "--out", out)
    assert answer.code == 2
    assert f"another process is at work in {out}" in answer.err


def test_an_error_in_a_search_loses_nothing_that_was_finished(amc, whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    for error, words in (
        (RuntimeError("CUDA error: device-side assert triggered"), "device-side assert"),
        (MemoryError("memory runs out even in 64 parts"), "memory runs out"),
        (OSError(28, "No space left on device"), "No space left"),
    ):
        with monkeypatch.context() as patch:
            failing(patch, amc_evaluator, "ready_score", error, 2)
            answer = amc("search", *RANDOM, "--out", out)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert words in answer.err
    assert "where 6 evaluations are finished" in amc.good("search", *RANDOM, "--out", out)
    assert same(out, whole(RANDOM))


def test_a_disk_that_is_full_for_a_while_costs_nothing(amc, whole, tmp_path):
    out, usual = tmp_path / "run", whole(RANDOM)
    lines = (usual / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sum(map(len, lines[:4])) + 30, before[1]))
    try:
        answer = amc("search", *RANDOM, "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.code == 2
    assert f"{out / JOURNAL_FILE}: cannot be written (File too large)" in answer.err
    assert answer.err.count("\n") == 1
    assert "goes on" in amc.good("search", *RANDOM, "--out", out)
    assert same(out, usual)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(amc, monkeypatch):
    calls = failing(monkeypatch, amc_evaluator, "ready_score")
    answer = amc("search", *RANDOM, "--out", "/proc/amc")
    assert (answer.code, calls.count) == (2, 0)
    assert "--out /proc/amc: cannot make this folder" in answer.err


def test_fine_tuning_that_diverges_leaves_the_policy(amc, tmp_path):
    out = tmp_path / "run"
    words = (*FEW, "--strategy", "uniform", "--finetune-epochs", "5", "--finetune-lr", "1e30")
    answer = amc("search", *words, "--out", out)
    assert answer.code == 2
    assert "the loss became" in answer.err
    assert "lower the learning rate" in answer.err
    policy = ("--policy", out / "policy.json", "--calibration-images", "60")
    shown = amc.good("prune", *OWN, *policy, "--finetune-epochs", "1", "--out", tmp_path / "mended")
    assert "uniform" in shown


def test_a_policy_that_is_applied_goes_on_too(amc, whole, tmp_path, monkeypatch):
    policy = ("--policy", whole(RANDOM) / "policy.json", "--calibration-images", "60")
    words = ("prune", *OWN, *policy, *TUNED)
    amc.good(*words, "--out", tmp_path / "whole")
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        failing(patch, fitting._Learner, "step", KeyboardInterrupt(), 2)
        assert (
            f"`amc prune --config {out}/config.yaml {' '.join(OWN)}` goes on"
            in amc(*words, "--out", out).err
        )
    amc.good("prune", "--config", out / "config.yaml", *OWN)
    assert same(out, tmp_path / "whole")
    shutil.copy(whole(NETADAPT) / "policy.json", tmp_path / "other.json")
    answer = amc(*words, "--policy", tmp_path / "other.json", "--out", out)
    assert "what --policy names is not what it was" in answer.err


def test_a_benchmark_goes_on_with_the_strategy_that_was_interrupted(amc, tmp_path, monkeypatch):
    words = ("benchmark", *FEW, "--strategies", "uniform,random,netadapt", "--episodes", "6")
    words = (*words, "--options.netadapt.steps", "1", "--options.netadapt.reduction", "0.2")
    amc.good(*words, "--out", tmp_path / "whole")
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        failing(patch, amc_evaluator, "ready_score", KeyboardInterrupt(), 4)
        answer = amc(*words, "--out", out)
    assert answer.code == 130
    assert f"`amc benchmark --config {out}/config.yaml {' '.join(OWN)}` goes on" in answer.err
    calls = failing(monkeypatch, amc_evaluator, "ready_score")
    shown = amc.good("benchmark", "--config", out / "config.yaml", *OWN)
    assert f"{out / 'uniform'} is finished" in shown
    assert calls.count == 6 - 3
    for name in ("uniform", "random", "netadapt"):
        assert same(out / name, tmp_path / "whole" / name)


def test_a_run_says_that_it_goes_on_with_other_versions(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    (out / "result.json").unlink()
    with RunJournal(out) as journal:
        header = journal.header
        journal._add("header", "", {**header, "machine": {**header["machine"], "torch": "1.0"}})
    shown = amc.good("search", *RANDOM, "--out", out)
    assert "begun with torch 1.0, goes on with" in shown
    assert same(out, whole(RANDOM))


def test_a_run_of_an_earlier_release_goes_on_under_the_name_that_its_strategy_has_now(
    amc, whole, tmp_path
):
    words = (*FEW, "--strategy", "gp-rollout", "--episodes", "4", "--options.hidden", "16")
    out = tmp_path / "run"
    shutil.copytree(whole(words), out)
    (out / "result.json").unlink()
    with RunJournal(out) as journal:
        settings = {**journal.header["settings"], "strategy": "ddpg"}
        journal._add("header", "", {**journal.header, "version": 1, "settings": settings})
    assert "holds another run: --strategy was gp-rollout and is ddpg" in (
        amc("search", *words, "--strategy", "ddpg", "--out", out).err
    )
    assert "goes on in" in amc.good("search", *words, "--out", out)
    assert same(out, whole(words))


def test_a_run_of_a_release_without_a_setting_goes_on_where_that_is_at_its_default(
    amc, whole, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    with RunJournal(out) as journal:
        settings = dict(journal.header["settings"])
        assert settings.pop("max_ratio") is None
        assert settings.pop("finetune_rate") > 0
        journal._add("header", "", {**journal.header, "settings": settings})
    assert "is finished" in amc.good("search", *RANDOM, "--out", out)
    refused = amc("search", *RANDOM, "--finetune-rate", "0.9", "--out", out)
    assert "--finetune-rate was 0.1 and is 0.9" in refused.err


HEADERS = {
    "command": (None, "command is null; it must be a text"),
    "settings": ([], "settings is []; it must be named values"),
    "machine": ("here", 'machine is "here"'),
    "files": ({"--policy": 3}, "files.'--policy' is 3"),
    "weights": (..., "weights is missing"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_journal_with_an_odd_first_line_is_refused(name, amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    with RunJournal(out) as journal:
        odd = {**journal.header, name: HEADERS[name][0]}
        journal.begin({key: value for key, value in odd.items() if value is not ...})
    answer = amc("search", *RANDOM, "--out", out)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    for words in ("journal.jsonl: its first line", HEADERS[name][1], "--overwrite"):
        assert words in answer.err


def test_the_saved_settings_never_overwrite(amc, tmp_path):
    out = tmp_path / "run"
    amc.good("search", *FEW, "--strategy", "uniform", "--overwrite", "--out", out)
    assert "overwrite" not in yaml.safe_load((out / "config.yaml").read_text())
    assert json.loads((out / "result.json").read_text())["config"]["overwrite"] is False


def test_what_a_killed_process_left_half_written_is_swept_away(amc, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole(RANDOM), out)
    (out / "result.json").unlink()
    (out / ".report.html.17.tmp").write_text("half")
    amc.good("search", *RANDOM, "--out", out)
    assert not (out / ".report.html.17.tmp").exists()


TRAIN = ("train", *OWN, "--epochs", "4", "--batch-size", "32")


@pytest.fixture(scope="module")
def whole_training(amc, tmp_path_factory):
    """The folder of a training that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "training"
    amc.good(*TRAIN, "--out", out)
    return out


def test_a_training_goes_on_from_its_last_whole_pass(amc, whole_training, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        counted = failing(patch, fitting._Learner, "step")
        amc.good(*TRAIN, "--out", tmp_path / "counted")
    with monkeypatch.context() as patch:
        failing(patch, fitting._Learner, "step", KeyboardInterrupt(), counted.count - 1)
        answer = amc(*TRAIN, "--out", out)
    assert answer.code == 130
    assert (
        f"`amc train --config {out}/config.yaml {' '.join(OWN)}` goes on from there" in answer.err
    )
    steps = counted.count // 4 * 3
    assert (entry(out).status, entry(out).result) == ("interrupted", f"{steps} gradient steps")
    calls = failing(monkeypatch, fitting._Learner, "step")
    shown = amc.good("train", "--config", out / "config.yaml", *OWN)
    assert f"goes on in {out}, where {steps} gradient steps are finished" in shown
    assert calls.count == counted.count - steps
    name = "model.safetensors"
    assert (out / name).read_bytes() == (whole_training / name).read_bytes()
    ours, theirs = (json.loads((run / "result.json").read_text()) for run in (out, whole_training))
    assert ours["accuracy"] == theirs["accuracy"]
    assert not (out / "checkpoints").exists()


def test_a_finished_training_is_told_again_and_another_one_is_refused(
    amc, whole_training, monkeypatch
):
    before = {path.name: path.stat().st_mtime_ns for path in whole_training.iterdir()}
    calls = failing(monkeypatch, fitting._Learner, "step")
    shown = amc.good(*TRAIN, "--out", whole_training)
    reached = json.loads((whole_training / "result.json").read_text())["accuracy"]
    assert f"{whole_training} is finished" in shown
    assert f"accuracy {reached['holdout']:.4f} held out" in shown
    answer = amc(*TRAIN, "--lr", "0.2", "--out", whole_training)
    assert answer.code == 2
    assert "holds another run: --lr was 0.1 and is 0.2" in answer.err
    answer = amc("search", *RANDOM, "--out", whole_training)
    assert "it was begun by amc train, not amc search" in answer.err
    assert calls.count == 0
    assert {path.name: path.stat().st_mtime_ns for path in whole_training.iterdir()} == before


@pytest.mark.parametrize("words", [TRAIN, ("search", *FEW, "--strategy", "uniform", *TUNED)])
def test_what_breaks_a_run_off_stands_in_its_folder(words, amc, tmp_path, monkeypatch):
    out, error = tmp_path / "run", RuntimeError("CUDA error: an illegal memory access")
    with monkeypatch.context() as patch:
        failing(patch, fitting._Learner, "step", error, 1)
        assert amc(*words, "--out", out).code == 2
    assert (entry(out).status, entry(out).result) == ("failed", f"RuntimeError: {error}")
    amc.good(*words, "--out", out)
    assert entry(out).status == "finished"


def test_a_policy_that_cannot_be_applied_to_the_end_leaves_the_reason(
    amc, whole, tmp_path, monkeypatch
):
    out, error = tmp_path / "run", MemoryError("training: memory runs out even in 8 parts")
    policy = ("--policy", whole(RANDOM) / "policy.json", "--calibration-images", "60")
    failing(monkeypatch, fitting._Learner, "step", error, 1)
    assert amc("prune", *OWN, *policy, *TUNED, "--out", out).code == 2
    told = entry(out)
    assert (told.status, told.what.split(":")[0]) == ("failed", "policy")
    assert told.result == f"MemoryError: {error}"


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_run_does_not_replace_what_it_reads(overwrite, amc, whole, whole_training, tmp_path):
    shutil.copytree(whole_training, tmp_path / "trained")
    weights = tmp_path / "trained" / "model.safetensors"
    for words in (TRAIN, ("search", *RANDOM)):
        answer = amc(*words, "--weights", weights, "--out", tmp_path / "trained", *overwrite)
        assert answer.code == 2
        assert f"--weights {weights} lies in the folder of --out" in answer.err
    assert weights.read_bytes() == (whole_training / "model.safetensors").read_bytes()
    shutil.copytree(whole(RANDOM), tmp_path / "searched")
    policy = tmp_path / "searched" / "policy.json"
    answer = amc("prune", *OWN, "--policy", policy, "--out", policy.parent, *overwrite)
    assert f"--policy {policy} lies in the folder of --out" in answer.err
    assert policy.is_file()
