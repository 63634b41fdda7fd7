"""Data from elsewhere is read and never run, and is written nowhere but where it belongs."""

import io
import json
import pickle
import re
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from made_tables import DEVICE

from amc.costs.latency import LatencyTable
from experiments.latency.terms import about_device
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


def naming(run, here, **code):
    """A copy of a run whose files name code."""
    folder = Path(shutil.copytree(run, here / "run"))
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**settings, **code}))
    result = json.loads((folder / "result.json").read_text())
    changed = {**result, **code, "config": {**result["config"], **code}}
    (folder / "result.json").write_text(json.dumps(changed))
    return folder


@pytest.mark.parametrize("place", ["model", "dataset"])
def test_code_that_a_run_folder_names_is_imported_only_where_the_command_does_too(
    place, amc, here, uniform_run
):
    run = naming(uniform_run, here, **{place: "trap:x"})
    for words in (
        *(("export", run, "--format", name) for name in ("onnx", "torch", "torch-pruning")),
        ("trust", run),
    ):
        answer = amc(*words)
        assert answer.code == 2
        assert (
            f"names code that would be imported and run, and a file alone cannot ask for that; "
            f"where you trust it, add --{place} trap:x\n" in answer.err
        )
    other = {"model": "resnet8", "dataset": "digits"}[place]
    for words in (("export", run, "--format", "torch"), ("trust", run)):
        answer = amc(*words, f"--{place}", "trap:y")
        assert answer.code == 2
        assert "leave" in answer.err
    assert other in (uniform_run / "config.yaml").read_text()
    amc.good("export", run, "--format", "json")
    amc.good("report", run)
    amc.good("runs", run)
    assert f"--{place} trap:x" in re.sub("<[^>]+>", "", (run / "report.html").read_text("utf-8"))


@pytest.mark.parametrize("place", ["model", "dataset", "strategy"])
def test_code_that_a_file_of_settings_names_is_imported_only_where_the_command_does_too(
    place, amc, here, uniform_run
):
    run = naming(uniform_run, here, **{place: "trap:x"})
    answer = amc("search", "--config", run / "config.yaml", "--seed", 1, "--out", here / "new")
    assert answer.code == 2
    assert "run/config.yaml names code that would be imported and run" in answer.err
    assert f"add --{place} trap:x\n" in answer.err
    (here / "benchmark.yaml").write_text("strategies: uniform,trap:x\n")
    assert "add --strategies uniform,trap:x\n" in amc("benchmark", "--config", "benchmark.yaml").err


def test_code_that_the_command_names_is_the_run_s_own(amc, here, uniform_run):
    (here / "kin_of_zoo.py").write_text(
        "from experiments.zoo.models import build_model\n"
        "def network():\n    return build_model('resnet8', 1, 10, 0.5)\n"
    )
    run = naming(uniform_run, here, model="kin_of_zoo:network", width=1.0)
    assert amc("export", run, "--format", "torch").code == 2
    amc.good("export", run, "--format", "torch", "--model", "kin_of_zoo:network")


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
    with pytest.raises(ValueError, match="runtime 'trap'; known: onnxruntime, "):
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
    allowed = {"experiments/disk/yaml_files.py": "yaml.load("}  # With a loader of its own.
    for room in ("amc", "envs", "agents", "netadapt", "experiments"):
        for file in (ROOT / room).rglob("*.py"):
            name = file.relative_to(ROOT).as_posix()
            found = [m[0] for m in forbidden.finditer(file.read_text("utf-8"))]
            assert set(found) <= {allowed.get(name)}, name
