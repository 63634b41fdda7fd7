"""Data from elsewhere is read and never run, and is written nowhere but where it belongs."""

import io
import json
import pickle
import re
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_tables import DEVICE

from amc.costs.latency import LatencyTable
from experiments.latency import about_device
from experiments.zoo import cifar

ROOT = Path(__file__).parents[2]
TRAP = "import pathlib; pathlib.Path('sprung').touch()"


class Trap:
    """Unpickling it runs code."""

    def __reduce__(self):
        return exec, (TRAP,)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trap.py").write_text(TRAP)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("trap", None)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.bin", "a.safetensors", "a.pkl"])
@pytest.mark.parametrize(
    "write", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))]
)
def test_a_pickle_is_refused_with_the_way_to_convert_it(name, write, amc, here):
    write({"stem.0.weight": Trap()}, here / name)
    answer = amc("search", "--model", "resnet8", "--dataset", "digits", "--weights", name)
    assert answer.code == 2
    assert "safetensors" in answer.err
    if not name.endswith(".safetensors"):
        assert ".save_file" in answer.err


def test_settings_run_no_code(amc, here):
    for text in (f"model: !!python/object/apply:exec [{TRAP!r}]", "model: !!python/name:trap.x"):
        (here / "a.yaml").write_text(text)
        assert "not valid YAML" in amc("search", "--config", "a.yaml").err


def test_a_policy_imports_nothing(amc, here, uniform_run, weights):
    good = json.loads((uniform_run / "policy.json").read_text())
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    for key in ("criterion", "granularity"):
        (here / "policy.json").write_text(json.dumps({**good, key: "trap:x"}))
        answer = amc("prune", *network, "--policy", "policy.json")
        assert answer.code == 2
        assert f"unknown {key} 'trap" in answer.err


def test_a_latency_table_imports_nothing(here):
    table = LatencyTable.__new__(LatencyTable)
    object.__setattr__(table, "device", replace(DEVICE, runtime="trap"))
    with pytest.raises(ValueError, match="runtime 'trap'; known: onnxruntime, torch"):
        about_device(table)


def test_an_archive_writes_nothing(here):
    path = here / "deep" / cifar.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../../escaped.bin", "/tmp/escaped.bin", f"../{cifar.TEST_FILES[0]}"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo(f"x/{cifar.TRAIN_FILES[0]}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match=r"holds no data_batch_1\.bin"):
        cifar.read_archive(path)
    assert sorted(file.name for file in here.rglob("*")) == sorted(
        ["deep", cifar.ARCHIVE, "trap.py"]
    )


def test_names_in_a_report_stay_text(amc, here, uniform_run):
    evil = "<img src=x onerror=alert(1)>"
    data = json.loads((uniform_run / "result.json").read_text())
    data |= {"model": evil, "dataset": evil, "strategy": evil, "machine": {evil: evil}}
    data["config"] |= {"model": evil, "exclude": evil, "out": f"runs/{evil}"}
    data["groups"][0]["name"] = evil
    for costs in (data["costs"], *(one["costs"] for one in data["evaluations"])):
        costs[evil] = costs["macs"]
    (here / "run").mkdir()
    (here / "run" / "result.json").write_text(json.dumps(data))
    amc.good("report", "run", "--out", "page.html")
    page = (here / "page.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "&lt;img" in page


def test_no_code_of_ours_evaluates_text_or_reads_pickles():
    forbidden = re.compile(
        r"(?<![\w.])(eval|exec)\(|\bpickle\.loads?\(|weights_only=False|yaml\.(unsafe_|full_)?load\("
        r"|extractall\(|os\.system\(|shell=True|allow_pickle=True"
    )
    allowed = {"experiments/yaml_files.py": "yaml.load("}  # With a loader of its own.
    for room in ("amc", "envs", "agents", "netadapt", "experiments"):
        for file in (ROOT / room).rglob("*.py"):
            name = file.relative_to(ROOT).as_posix()
            found = [m[0] for m in forbidden.finditer(file.read_text("utf-8"))]
            assert set(found) <= {allowed.get(name)}, name
