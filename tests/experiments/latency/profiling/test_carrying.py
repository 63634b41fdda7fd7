"""To another device and back."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from exported import Exported

from amc.costs.latency import Latency
from amc.granularity import Rounding
from experiments.latency import clock
from experiments.latency.profiling.carrying import prepare, read_answer
from experiments.latency.profiling.measuring import table
from experiments.latency.profiling.plan import Plan, plan_of


@pytest.fixture(scope="module")
def plan(small: Exported) -> Plan:
    return plan_of(small.template, Rounding(4, 0.7), fed=True)


@pytest.fixture(scope="module")
def folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is carried, and what the script wrote beside it."""
    there = tmp_path_factory.mktemp("device")
    prepare(plan, there, "onnxruntime", threads=1)
    # -I: nothing of this project can be imported, as on a device that does not have it.
    done = subprocess.run(
        [sys.executable, "-I", "timing.py"], cwd=there, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "bring it back" in done.stdout
    return there


def test_two_files_are_carried(folder: Path) -> None:
    names = ["programs.zip", "timing.py", "timings.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "programs.zip").stat().st_size < 500_000


def test_what_comes_back_makes_a_table(folder: Path, plan: Plan, small: Exported) -> None:
    answer = read_answer(plan, folder / "timings.json", "onnxruntime", 1)
    here = clock.device("onnxruntime", 1)
    assert {key: getattr(answer.device, key) for key in here} == here
    assert (answer.device.batch, answer.device.dtype) == (2, "float32")
    latency = Latency(small.graph, table(plan, answer, "small"))
    assert latency(small.graph.full) > 0
    assert latency.table.settings["programs"] == len(plan.programs())


def test_timings_of_other_settings_are_refused(folder: Path, small: Exported) -> None:
    finer = plan_of(small.template, Rounding(1, 0.7), fed=True)
    with pytest.raises(ValueError, match="made for another network or other settings"):
        read_answer(finer, folder / "timings.json", "onnxruntime", 1)


@pytest.mark.parametrize(("runtime", "threads"), [("torch", 1), ("onnxruntime", 2)])
def test_timings_of_another_runtime_or_number_of_threads_are_refused(
    runtime: str, threads: int, folder: Path, plan: Plan
) -> None:
    with pytest.raises(ValueError, match="made for another network or other settings"):
        read_answer(plan, folder / "timings.json", runtime, threads)


def test_what_the_script_did_not_write_is_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"run timing\.py on the device"):
        read_answer(plan, tmp_path / "timings.json", "onnxruntime", 1)
    for text in ("", "[]", "{}", json.dumps({"schema_version": 0})):
        (tmp_path / "timings.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"not timings that timing\.py wrote"):
            read_answer(plan, tmp_path / "timings.json", "onnxruntime", 1)


def test_the_script_runs_on_old_pythons() -> None:
    """Its syntax is that of Python 3.8; annotations are never evaluated."""
    import ast

    source = Path(clock.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    assert "from __future__ import annotations" in source


def test_archives_hold_every_program(folder: Path, plan: Plan) -> None:
    with zipfile.ZipFile(folder / "programs.zip") as archive:
        what = json.loads(archive.read("plan.json"))
        assert set(what["files"]) == set(plan.programs())
        assert set(what["files"].values()) < set(archive.namelist())
