"""`amc runs`: what folders tell of themselves."""

import json
import shutil
from pathlib import Path

import pytest

from amc.history import Evaluation
from experiments.commands.runs import entry, runs_in
from experiments.runs.failures import FAILURE_FILE, failure_kept
from experiments.runs.journal_file import JOURNAL_FILE, RunJournal
from netadapt import Proposal

fcntl = pytest.importorskip("fcntl", reason="no locks of this kind on this system")

SETTINGS = "strategy: tpe\nmodel: resnet8\ndataset: digits\n"
NOTE = Evaluation(score=0.5, seconds=1.0)


def begun(folder):
    """A run that has evaluated once, and wrote half of a line."""
    folder.mkdir()
    (folder / "config.yaml").write_text(SETTINGS)
    with RunJournal(folder) as journal:
        journal.begin({})
        journal.note("8,8", NOTE)
    with open(folder / JOURNAL_FILE, "ab") as file:
        file.write(b'{"crc32": "00000000", "record": {"accuracy": 0.5, "na')
    return folder


def test_runs_are_found_however_deep_with_what_came_out(amc, uniform_run, trained, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "a" / "b" / "searched")
    shutil.copytree(trained, tmp_path / "trained")
    (tmp_path / "notes").mkdir()
    shown = amc.good("runs", tmp_path)
    assert "a/b/searched" in shown
    first, second = runs_in(tmp_path)
    assert (first.status, first.what) == ("finished", "uniform: resnet8 on digits")
    assert first.result.startswith("test 0.")
    assert first.result.endswith("% MACs")
    assert (second.status, second.what) == ("finished", "training: resnet8 on digits")


def test_a_benchmark_counts_its_runs_and_not_its_copy_of_the_best(uniform_run, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "uniform")
    shutil.copy(uniform_run / "result.json", tmp_path)
    (tmp_path / "config.yaml").write_text("strategies: uniform\n")
    assert [run.folder.name for run in runs_in(tmp_path)] == ["uniform"]


def test_a_run_without_a_result_was_interrupted_or_is_running(tmp_path):
    folder = begun(tmp_path / "run")
    told = entry(folder)
    assert (told.status, told.what) == ("interrupted", "tpe: resnet8 on digits")
    assert told.result == "1 evaluation"
    with open(folder / JOURNAL_FILE, "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert entry(folder).status == "running"
    assert entry(folder).status == "interrupted"


def test_the_proposals_of_netadapt_are_evaluations_and_half_a_line_is_none(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with RunJournal(folder) as journal:
        journal.begin({"settings": {"kind": "evaluation"}})
        for kept in ("8,8", "8,7"):
            journal.note(f"0 {kept}", Proposal(score=0.5, seconds=1.0, diverged=False))
        journal.note("8,7", NOTE)
    assert entry(folder).result == "3 evaluations"
    with open(folder / JOURNAL_FILE, "ab") as file:
        file.write(b'{"crc32": "00000000", "record": {"accuracy": 0.5, "na')
    assert entry(folder).result == "3 evaluations"


def test_a_run_that_broke_off_says_why_until_it_is_begun_again(tmp_path):
    folder = begun(tmp_path / "run")

    def work(error):
        with failure_kept(str(folder)):
            raise error

    with pytest.raises(FloatingPointError):
        work(FloatingPointError("the loss\nbecame nan"))
    told = entry(folder)
    assert (told.status, told.result) == ("failed", "FloatingPointError: the loss became nan")
    with pytest.raises(KeyboardInterrupt):
        work(KeyboardInterrupt())
    assert entry(folder).status == "interrupted"
    with failure_kept(str(folder)):
        pass
    assert not (folder / FAILURE_FILE).exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("result.json", b"{"),
        ("result.json", b"[" * 100_000),
        ("result.json", bytes(range(256))),
        ("result.json", b'{"schema_version": 1, "accuracy": []}'),
        (FAILURE_FILE, b"[]"),
        (FAILURE_FILE, b'{"reason": 1}'),
    ],
)
@pytest.mark.parametrize("searched", [False, True], ids=["trained", "searched"])
def test_a_damaged_folder_is_told_and_the_others_still_are(amc, name, content, searched, tmp_path):
    begun(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / name).write_bytes(content)
    if searched:
        (tmp_path / "bad" / "policy.json").write_text("{}")
    bad, good = runs_in(tmp_path)
    assert (bad.status, good.status) == ("damaged", "interrupted")
    assert bad.result
    amc.good("runs", tmp_path)


@pytest.mark.parametrize("content", [b"mine", b"[]\n", bytes(range(256)), b'{"a": 1}\n' * 9])
def test_a_journal_that_cannot_be_read_is_damage(content, amc, tmp_path):
    folder = begun(tmp_path / "run")
    (folder / JOURNAL_FILE).write_bytes(content)
    told = entry(folder)
    assert told.status == "damaged"
    assert "journal.jsonl: not a journal" in told.result
    assert "--overwrite" in told.result
    amc.good("runs", tmp_path)


@pytest.mark.parametrize("settings", ["{", "- a\n", "strategy: x\n", "a: \x00"])
def test_damaged_settings_are_no_traceback(settings, tmp_path):
    folder = begun(tmp_path / "run")
    (folder / "config.yaml").write_text(settings)
    assert entry(folder).status == "damaged"


def test_nothing_in_a_folder_is_changed(uniform_run, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "run")
    begun(tmp_path / "begun")

    def state() -> dict[Path, tuple[int, bytes]]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    list(runs_in(tmp_path))
    assert state() == before


def test_names_are_printed_as_they_are(amc, tmp_path):
    begun(tmp_path / "run").joinpath("config.yaml").write_text(
        SETTINGS.replace("tpe", '"[bold]a\\u202eb"')
    )
    assert "[bold]a?b" in amc.good("runs", tmp_path)


def test_a_folder_without_runs_says_how_to_make_one_and_a_missing_one_is_named(amc, tmp_path):
    assert "no runs in" in amc.good("runs", tmp_path)
    answer = amc("runs", tmp_path / "nowhere")
    assert answer.code == 2
    assert "no folder" in answer.err


def test_a_failing_search_leaves_the_reason_in_its_folder(amc, weights, tmp_path, monkeypatch):
    (tmp_path / "bad_strategy.py").write_text(
        "class Bad:\n    def search(self, problem, seed):\n        raise RuntimeError('no luck')\n"
    )
    words = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    few = ("--calibration-images", 0, "--search-images", 50, "--out", tmp_path / "run")
    monkeypatch.syspath_prepend(tmp_path)
    assert amc("search", *words, *few, "--strategy", "bad_strategy:Bad").code == 2
    assert json.loads((tmp_path / "run" / FAILURE_FILE).read_text()) == {
        "error": "RuntimeError: no luck"
    }
    assert entry(tmp_path / "run").status == "failed"


def test_a_result_that_cannot_be_reckoned_with_hides_no_other_run(uniform_run, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "good")
    shutil.copytree(uniform_run, tmp_path / "bad")
    result = json.loads((tmp_path / "bad" / "result.json").read_text())
    next(iter(result["costs"].values()))["unpruned"] = 0
    (tmp_path / "bad" / "result.json").write_text(json.dumps(result))
    assert [run.status for run in runs_in(tmp_path)] == ["damaged", "finished"]


def test_settings_that_grow_when_they_are_read_are_damage(tmp_path):
    folder = begun(tmp_path / "run")
    (folder / "config.yaml").write_text("a: &a [1, 1]\nmodel: [*a, *a]\ndataset: digits\n")
    assert entry(folder).status == "damaged"


def test_a_folder_s_name_reaches_the_terminal_as_letters_alone(amc, tmp_path):
    begun(tmp_path / "red\x1b[31m\nname")
    shown = amc.good("runs", tmp_path)
    assert "\x1b" not in shown
    assert "red?[31m name" in shown
