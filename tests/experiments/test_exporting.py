"""Finished runs in formats that others read."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from amc.policy import Policy
from amc.pruning import prune
from experiments.config import ExportConfig
from experiments.exporting import export, load_pruned


@pytest.fixture(scope="session")
def exported(amc, tuned_run, tmp_path_factory):
    """An ONNX file, and what the command said."""
    path = tmp_path_factory.mktemp("onnx") / "deep" / "net.onnx"
    return path, amc.good("export", tuned_run, "--format", "onnx", "--out", path)


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_computes_the_same_on_digits_for_any_batch(exported, tuned_run, batch):
    network, setting, _ = load_pruned(tuned_run)
    images = setting.splits.test.floats(slice(0, batch))
    with torch.no_grad():
        wanted = network(images).numpy()
    session = onnxruntime.InferenceSession(str(exported[0]), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"input": images.numpy()})
    assert found.shape == (batch, 10)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_the_command_says_what_it_wrote(exported):
    path, said = exported
    assert said == f"onnx: {path} ({path.stat().st_size:,} bytes)\n"
    assert [file.name for file in path.parent.iterdir()] == ["net.onnx"], "weights lie inside"


def test_torch_weights_carry_their_policy(tuned_run, tmp_path):
    config = ExportConfig(str(tuned_run), "torch", str(tmp_path / "net.safetensors"))
    assert export(config).startswith("torch: ")
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        policy = Policy.from_json(file.metadata()["policy"])
    assert policy == Policy.load(tuned_run / "policy.json")
    _, setting, _ = load_pruned(tuned_run)
    network = prune(setting.model, policy, setting.example)
    network.load_state_dict(load_file(tmp_path / "net.safetensors"))
    wanted = load_file(tuned_run / "model.safetensors")
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in network.state_dict().items())


def test_json_is_the_policy(tuned_run, tmp_path):
    export(ExportConfig(str(tuned_run), "json", str(tmp_path / "policy.json")))
    assert Policy.load(tmp_path / "policy.json") == Policy.load(tuned_run / "policy.json")


@pytest.fixture
def copy(tuned_run, tmp_path):
    """A run folder that a test may damage."""
    run = tmp_path / "run"
    run.mkdir()
    for path in tuned_run.iterdir():
        (run / path.name).write_bytes(path.read_bytes())
    return run


def test_without_out_the_file_lies_in_the_run_folder(copy):
    said = export(ExportConfig(str(copy), "torch"))
    assert said.startswith(f"torch: {copy / 'pruned.safetensors'} (")


def test_a_run_needs_nothing_but_its_own_folder(copy):
    config = (copy / "config.yaml").read_text()
    weights = next(line for line in config.splitlines() if line.startswith("weights:"))
    (copy / "config.yaml").write_text(config.replace(weights, "weights: gone.safetensors"))
    network, _, policy = load_pruned(copy)
    wanted = load_file(copy / "model.safetensors")
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in network.state_dict().items())
    assert not network.training
    assert len(policy.groups) == 6


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.yaml", "model: [1", r"config\.yaml: not the settings of a run"),
        ("config.yaml", "- a", r"config\.yaml: not the settings of a run"),
        ("config.yaml", "width: -1", r"config\.yaml: not the settings of a run"),
        ("policy.json", "{", r"policy\.json: not valid JSON"),
        ("model.safetensors", "??", r"model\.safetensors: not a safetensors file"),
    ],
)
def test_a_damaged_run_is_refused_by_the_name_of_the_file(copy, file, content, said):
    (copy / file).write_text(content)
    with pytest.raises(ValueError, match=said):
        load_pruned(copy)


@pytest.mark.parametrize("file", ["config.yaml", "policy.json", "model.safetensors"])
def test_a_missing_file_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        load_pruned(copy)


def test_weights_of_another_cut_are_refused(copy):
    full = json.loads((copy / "policy.json").read_text())
    for group in full["groups"]:
        group["kept"] = group["total"]
    (copy / "policy.json").write_text(json.dumps(full))
    with pytest.raises(ValueError, match=r"fit resnet8 cut by its policy: 'stem\.0\.weight'"):
        load_pruned(copy)


def test_an_unfinished_run_is_not_exported(copy):
    (copy / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no finished run in .*; `amc search"):
        export(ExportConfig(str(copy), "json"))
