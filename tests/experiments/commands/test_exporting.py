"""Finished runs in formats that others read."""

import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from made_tables import DEVICE, table_of
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from amc import export as amc_export
from amc.policy import Policy
from amc.tracing.build import trace
from experiments.commands.export import Order, export, latency_terms, load_pruned
from experiments.runs.results import RunResult
from experiments.settings import ExportSettings
from experiments.zoo.models import build_model


def told(run, kind, out=None, model=None):
    """What the command says."""
    console = Console(file=io.StringIO())
    export(ExportSettings(str(run), kind, out and str(out), model=model), console)
    return console.file.getvalue()


def same(network, wanted):
    state = network.state_dict()
    equal = all(torch.equal(tensor, wanted[name]) for name, tensor in state.items())
    return equal and state.keys() == wanted.keys()


QUICK = ("--measure", 0.05)


@pytest.fixture(scope="session")
def exported(amc, tuned_run, weights, tmp_path_factory):
    """An ONNX file of a run that does not know its checkpoint any more, and what was said."""
    folder = tmp_path_factory.mktemp("onnx")
    run = shutil.copytree(tuned_run, folder / "run")
    without_weights(run)
    path = folder / "deep" / "net.onnx"
    words = ("--format", "onnx", *QUICK, "--weights", weights)
    return path, amc.good("export", run, *words, "--out", path)


def answers(path, images):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": images.numpy()})[0]


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_computes_the_same_on_digits_for_any_batch(exported, tuned_run, weights, batch):
    network, workload, _ = load_pruned(tuned_run)
    images = workload.splits.test.floats(slice(0, batch))
    workload.model.load_state_dict(load_file(weights))
    files = (exported[0], exported[0].with_name("unpruned.onnx"))
    for model, path in zip((network, workload.model), files, strict=True):
        with torch.no_grad():
            wanted = model(images).numpy()
        found = answers(path, images)
        assert found.shape == (batch, 10)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_the_command_says_what_it_wrote_and_what_was_gained(exported, tuned_run):
    path, said = exported
    costs = RunResult.load(tuned_run / "result.json").costs
    assert said.endswith(f"onnx: {path} ({path.stat().st_size:,} bytes)\n")
    for name, heading in (("params", "parameters"), ("macs", "MACs")):
        row = rf"{heading} +{costs[name].unpruned:,.0f} +{costs[name].pruned:,.0f} +[0-9.]+%"
        assert re.search(row, said)
    assert re.search(r"latency, ms +[0-9.]+ +[0-9.]+ +[0-9.]+%", said)
    assert re.search(r"net\.onnx is .* times as fast \(", said)
    assert f"onnxruntime {onnxruntime.__version__}, 1 thread" in said


def test_it_is_timed_as_the_runs_latency_table_was(tuned_run, tmp_path):
    result, console = RunResult.load(tuned_run / "result.json"), Console(file=io.StringIO())
    graph = trace(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)), torch.zeros(1, 2))
    device = replace(DEVICE, batch=8, threads=2)
    (tmp_path / "latency.json").write_text(replace(table_of(graph), device=device).to_json())
    for table, threads, told in (
        (None, None, (1, 1)),
        ("latency.json", None, (8, 2)),
        ("latency.json", 4, (8, 4)),
        ("gone.json", None, (1, 1)),
    ):
        run = replace(result, config={"latency": table and str(tmp_path / table)})
        config = ExportSettings(str(tuned_run), threads=threads)
        order = Order(config, tuned_run, None, tmp_path / "net.onnx", console)
        assert latency_terms(order, run) == told
    assert "gone.json any more; timed at batch 1" in " ".join(console.file.getvalue().split())


def test_what_was_gained_stands_beside_the_files(exported):
    folder = exported[0].parent
    assert {file.name for file in folder.iterdir()} == {
        *("net.onnx", "unpruned.onnx", "export.json")
    }, "weights lie inside"
    found = json.loads((folder / "export.json").read_text())
    for side in ("unpruned", "pruned"):
        assert found[side]["bytes"] == (folder / found[side]["file"]).stat().st_size
        seconds = found[side]["latency"]
        assert 0 < seconds["seconds"] <= seconds["typical"]
    assert found["pruned"]["bytes"] < found["unpruned"]["bytes"]
    assert found["difference"] <= 1e-4
    assert found["machine"]["torch"] == torch.__version__


def test_the_pruned_network_comes_alone_where_nothing_is_to_be_measured(amc, copy):
    without_weights(copy)
    said = amc.good("export", copy, "--measure", 0)
    assert (
        said == f"onnx: {copy / 'pruned.onnx'} ({(copy / 'pruned.onnx').stat().st_size:,} bytes)\n"
    )
    assert not (copy / "unpruned.onnx").exists()
    assert not (copy / "export.json").exists()


def test_the_unpruned_network_needs_its_own_weights(amc, copy):
    without_weights(copy)
    answer = amc("export", copy, *QUICK)
    assert answer.code == 2
    for words in ("no weights at gone.safetensors", "--weights", "--measure 0"):
        assert words in answer.err
    assert not list(copy.glob("*.onnx"))


def test_the_unpruned_networks_file_is_not_written_over(amc, copy):
    answer = amc("export", copy, "--out", copy / "unpruned.onnx")
    assert answer.code == 2
    assert "name another file" in answer.err


def test_torch_weights_carry_their_policy_and_need_no_images(tuned_run, tmp_path):
    path = tmp_path / "net.safetensors"
    assert told(tuned_run, "torch", path).startswith("torch: ")
    wanted, workload, policy = load_pruned(tuned_run)
    untrained = build_model("resnet8", 1, 10, 0.5)
    with safe_open(path, "pt") as file:
        assert Policy.from_json(file.metadata()["policy"]) == policy
    network = amc_export.load_pruned(untrained, workload.example, path)
    assert same(network, wanted.state_dict())


def test_a_runs_own_weights_are_such_a_file(tuned_run):
    untrained, wanted = build_model("resnet8", 1, 10, 0.5), load_pruned(tuned_run)
    path = tuned_run / "model.safetensors"
    network = amc_export.load_pruned(untrained, wanted[1].example, path)
    assert same(network, wanted[0].state_dict())


def test_torch_pruning_gets_the_ratio_of_every_layer_of_a_group(tuned_run, tmp_path):
    path = tmp_path / "ratios.json"
    assert told(tuned_run, "torch-pruning", path).startswith(f"torch-pruning: {path}")
    network, workload, policy = load_pruned(tuned_run)
    ratios = json.loads(path.read_text())
    for name, ratio in ratios.items():
        full = workload.model.get_submodule(name).out_channels
        assert int(full * (1 - ratio)) == network.get_submodule(name).out_channels
    assert {group.name for group in policy.groups} < ratios.keys()


def test_zeros_are_not_told_to_torch_pruning(amc, search):
    run = search("--strategy", "uniform", "--granularity", "element", "--budget", "params=0.5")
    answer = amc("export", run, "--format", "torch-pruning")
    assert answer.code == 2
    assert "granularity element" in answer.err
    assert not list(run.glob("pruned*"))


def test_json_is_the_policy(tuned_run, tmp_path):
    told(tuned_run, "json", tmp_path / "policy.json")
    assert Policy.load(tmp_path / "policy.json") == Policy.load(tuned_run / "policy.json")


@pytest.fixture
def copy(tuned_run, tmp_path):
    """A run folder that a test may damage."""
    return shutil.copytree(tuned_run, tmp_path / "run")


def without_weights(run):
    """Make the run forget where the weights of its unpruned network are."""
    config = (run / "config.yaml").read_text()
    weights = next(line for line in config.splitlines() if line.startswith("weights:"))
    (run / "config.yaml").write_text(config.replace(weights, "weights: gone.safetensors"))


def test_without_out_the_file_lies_in_the_run_folder(copy):
    assert told(copy, "torch").startswith(f"torch: {copy / 'pruned.safetensors'} (")


def test_a_run_needs_nothing_but_its_own_folder(copy):
    without_weights(copy)
    network, _, policy = load_pruned(copy)
    assert same(network, load_file(copy / "model.safetensors"))
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
    with pytest.raises(ValueError, match=r"fit the network cut by its policy: 'stem\.0\.weight'"):
        load_pruned(copy)


def test_an_unfinished_run_is_not_exported(copy):
    (copy / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no finished run in .*; `amc search"):
        told(copy, "json")


def tied():
    """Two layers of one weight."""
    layers = [layer for _ in range(4) for layer in (nn.Linear(12, 12), nn.ReLU())]
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), *layers, nn.Linear(12, 10))
    network[5].weight = network[3].weight
    return network


def test_a_network_that_ties_parameters_goes_all_the_way(amc, tmp_path):
    model = f"{__name__}:tied"
    network = ("--model", model, "--dataset", "digits")
    amc.good("train", *network, "--epochs", 0.1, "--out", tmp_path / "trained")
    weights = ("--weights", tmp_path / "trained" / "model.safetensors")
    few = ("--strategy", "uniform", "--budget", "macs=0.9", "--calibration-images", 100)
    amc.good("search", *network, *weights, *few, "--out", tmp_path / "run")
    path = tmp_path / "net.safetensors"
    assert told(tmp_path / "run", "torch", path, model).startswith("torch: ")
    wanted, workload, _ = load_pruned(tmp_path / "run", typed={"model": model})
    assert wanted[5].weight is wanted[3].weight
    assert wanted[7].out_features < 12
    assert same(amc_export.load_pruned(tied(), workload.example, path), wanted.state_dict())
