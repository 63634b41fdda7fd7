"""Time told by a command: what it is given, what it may answer, and what becomes of failures."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from command_line import CommandLine
from onnx import TensorProto, helper
from torch import nn

from amc.costs.latency import LatencyTable
from experiments.latency import commanded, terms
from experiments.latency.commanded import Command, CommandError, input_shapes, timed
from experiments.latency.profiling import time_networks
from experiments.latency.profiling.by_command import Notes, measure_by
from experiments.runs import RunResult

SIZE = "stat -c %s {onnx}"
"""Bytes of the file are its milliseconds."""


OWN = ("--model", "striped_images:network", "--dataset", "striped_images:images")
FEW = ("--calibration-images", "60", "--search-images", "30", "--strategy", "uniform")
ASKED = ("search", *OWN, *FEW, "--budget", "latency=0.8", "--no-measure")


def model(size: int = 4) -> bytes:
    """That adds two tensors, one of them of integers made floats."""
    one = helper.make_tensor_value_info("one", TensorProto.FLOAT, (1, size))
    other = helper.make_tensor_value_info("other", TensorProto.FLOAT, (2, 3, 5))
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    node = helper.make_node("Relu", ["one"], ["out"])
    graph = helper.make_graph([node], "program", [one, other], [out])
    made: bytes = helper.make_model(graph).SerializeToString()
    return made


def test_the_last_number_is_milliseconds() -> None:
    assert Command(SIZE, 1).seconds(model()) == len(model()) / 1e3
    assert Command("echo run 3 of {onnx} took 1.5e1 ms", 1).seconds(model()) == 0.015


@pytest.mark.parametrize(
    ("said", "milliseconds"),
    [
        ("mean 7.25ms, p99 of 100 runs on cuda:0", 7.25),
        ("3.5 ms on 2 threads", 3.5),
        (".512", 0.512),
        ("latency (ms): 4.", 4.0),
        ("1 2 3\n", 3.0),
        ("time=1.5 MS;", 1.5),
        ("1,234.5 ms", None),
        ("run 3: nan ms", None),
        ("0", None),
        ("inf", None),
        ("-2 ms", None),
        ("", None),
    ],
)
def test_what_it_prints_is_read_by_its_unit(said: str, milliseconds: float | None) -> None:
    if milliseconds is None:
        with pytest.raises(CommandError, match="printed no time in milliseconds"):
            commanded._told(said)
    else:
        assert commanded._told(said) == pytest.approx(milliseconds / 1e3)


def test_what_it_leaves_running_holds_nothing_up() -> None:
    start = time.monotonic()
    assert Command("sh -c 'sleep 20 & echo 3' {onnx}", 1).seconds(model()) == 0.003
    assert time.monotonic() - start < 5


def test_shapes_and_threads_are_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    words = f"sh -c 'echo \"$0 $1 $2\" > {told}; echo 3' {{input_shapes}} {{threads}} {{onnx}}"
    assert Command(words, 4).seconds(model()) == 0.003
    shapes, threads, path = told.read_text().split()
    assert (shapes, threads) == ("one:1x4,other:2x3x5", "4")
    assert path.endswith(".onnx")
    assert not Path(path).exists()
    assert input_shapes(model()) == shapes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sh -c 'echo out; echo it broke >&2; exit 3' {onnx}", "it ended with 3: it broke"),
        ("sh -c 'echo no time' {onnx}", "it printed no time in milliseconds, but 'no time'"),
        ("sh -c 'echo -5' {onnx}", "it printed no time"),
        ("no-such-command {onnx}", "it cannot be run"),
    ],
)
def test_a_command_that_fails_is_tried_again_and_named(text: str, words: str) -> None:
    said: list[str] = []
    with pytest.raises(CommandError, match="failed 3 times at conv: ") as caught:
        timed(Command(text, 1), "conv", model(), said.append)
    assert words in str(caught.value)
    assert len(said) == 2
    assert all(words in one and "tried again" in one for one in said)


def test_one_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commanded, "SECONDS", 0.3)
    late = tmp_path / "late"
    start = time.monotonic()
    with pytest.raises(CommandError, match=r"had not ended after 0\.3 s"):
        Command(f"sh -c '(sleep 2; touch {late}) & sleep 30' {{onnx}}", 1).seconds(model())
    assert time.monotonic() - start < 5
    time.sleep(2.2)
    assert not late.exists()


def test_one_that_fails_once_costs_a_try_and_no_more(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"sh -c 'if [ -e {mark} ]; then echo 7; else touch {mark}; exit 1; fi' {{onnx}}"
    said: list[str] = []
    assert timed(Command(text, 1), "conv", model(), said.append)["seconds"] == 0.007
    assert len(said) == 1


def test_answers_far_apart_are_asked_for_once_more(tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = f"sh -c 'echo x >> {log}; echo $((40 / $(wc -l < {log})))' {{onnx}}"
    found = timed(Command(text, 1), "conv", model())
    assert found["seconds"] == 0.013  # 40, 20, 13
    assert len(log.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "words"), [("bench model", "has no {onnx}"), ("bench '{onnx}", "No closing quotation")]
)
def test_what_is_no_command_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Command(text, 1)


def test_a_stop_loses_nothing(tmp_path: Path) -> None:
    log, broken = tmp_path / "log", tmp_path / "broken"
    text = f"sh -c 'test -e {broken} && exit 1; echo x >> {log}; echo 2' {{onnx}}"
    programs = dict.fromkeys(("whole", "a", "b", "c", "d"), model)
    done: list[int] = []

    def said(count: int) -> None:
        done.append(count)
        if len(done) == 2:
            broken.touch()

    notes = Notes(tmp_path / "answers.jsonl", "a plan")
    asked = (Command(text, 1), programs, "whole", notes, said, lambda text: None)
    with pytest.raises(CommandError, match="kept, and the same command goes on behind it"):
        measure_by(*asked)
    assert len(notes.known()) == 2
    broken.unlink()
    log.write_text("")
    found, unsteady = measure_by(*asked)
    assert list(found) == list(programs)
    assert unsteady == 0
    assert len(log.read_text().splitlines()) == 2 * (3 + 1)  # and the steady one
    assert not Notes(notes.path, "another plan").known()


def test_a_table_alone_cannot_have_its_command_run() -> None:
    runtime = f"command:{SIZE}"
    net, given = nn.Linear(3, 2), torch.zeros(1, 3)
    with pytest.raises(ValueError, match="a file alone cannot ask for a command"):
        time_networks([net], given, runtime, 1)
    times, _ = time_networks([net], given, runtime, 1, runtime)
    assert times[0]["seconds"] > 0


def test_a_device_that_is_gone_at_the_end_loses_no_run(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gone = tmp_path / "gone"
    words = f"command:sh -c 'test -e {gone} && exit 1; stat -c %s $0' {{onnx}}"
    monkeypatch.setattr(terms.OnDevice, "__call__", lambda self, kept: gone.touch() or 1e-9)
    run = tmp_path / "run"
    told = amc.good(*ASKED, "--runtime", words, "--out", run)
    assert "the network is not timed once more: " in told
    assert RunResult.load(run / "result.json").latency is None


def test_answers_are_kept_until_the_table_is_there(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log, out = tmp_path / "log", tmp_path / "run"
    log.touch()
    script = f"test $(wc -l < {log}) -gt 9 && exit 1; echo x >> {log}; stat -c %s $0"
    runtime = f"command:sh -c '{script}' {{onnx}}"
    answer = amc(*ASKED, "--runtime", runtime, "--out", out)
    assert "kept, and the same command goes on" in answer.err
    (notes,) = (tmp_path / "cache" / "amc" / "latency").glob("*.jsonl")
    assert notes.read_text().count("program") >= 3


def test_a_command_is_a_budget(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = tmp_path / "run"
    told = amc.good(*ASKED, "--runtime", f"command:{SIZE}", "--out", run)
    (path,) = (tmp_path / "cache" / "amc" / "latency").glob("*.json")
    assert LatencyTable.load(path).device.runtime == f"command:{SIZE}"
    assert "command:stat" in told
    found = RunResult.load(run / "result.json").latency
    assert found is not None
    assert 0 < found.pruned < found.unpruned
    again = amc("search", "--config", run / "config.yaml", "--out", tmp_path / "other")
    assert again.code == 2
    assert "--runtime 'command:stat -c %s {onnx}'" in again.err


def test_a_table_alone_runs_no_command(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("profile", *OWN, "--runtime", f"command:{SIZE}", "--out", tmp_path / "profile")
    amc.good(*words)
    monkeypatch.setattr(commanded, "_run", lambda words: pytest.fail("it was run"))
    table = tmp_path / "profile" / "latency.json"
    told = amc.good(*ASKED, "--latency", table, "--out", tmp_path / "run")
    assert "--runtime 'command:stat -c %s {onnx}' has the winner timed by it" in told


def test_time_that_is_up_loses_nothing(tmp_path: Path) -> None:
    programs = dict.fromkeys(("whole", "a", "b"), model)
    notes = Notes(tmp_path / "answers.jsonl", "a plan")
    asked = (Command("sh -c 'echo 2' {onnx}", 1), programs, "whole", notes)
    quiet = (lambda done: None, lambda text: None)
    with pytest.raises(CommandError, match=r"1 of 3 programs are timed .*--profile-minutes"):
        measure_by(*asked, *quiet, seconds=1e-9)
    assert len(notes.known()) == 1
    found, _ = measure_by(*asked, *quiet)
    assert list(found) == list(programs)


def test_an_edited_script_is_asked_anew(
    amc: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script = tmp_path / "bench.sh"
    words = ("--runtime", f"command:sh {script} {{onnx}}")
    for number, factor in enumerate(("1", "1", "2")):
        script.write_text(f'echo $(({factor} * $(stat -c %s "$1"))) ms\n')
        told = amc.good(*ASKED, *words, "--out", tmp_path / f"run{number}")
        assert ("measured before" in told) == (number == 1)
    assert len(list((tmp_path / "cache" / "amc" / "latency").glob("*.json"))) == 2


def test_threads_that_reach_no_command_are_refused(amc: CommandLine) -> None:
    answer = amc(*ASKED, "--runtime", f"command:{SIZE}", "--threads", 4)
    assert answer.code == 2
    assert "--threads is 4, and the command has no {threads}" in answer.err
