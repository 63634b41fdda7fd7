"""Networks as files; whole runs are exported in tests/experiments/test_exporting.py."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import pytest
import torch
from architectures import ARCHITECTURES
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_networks import TINY, images, random_units, tiny
from torch import nn

from amc.export import load_pruned, save_onnx, save_pruned
from amc.modules.inputs import Inputs, call
from amc.policy import Policy, PolicyError
from amc.pruning import decisions, policy_of, prune
from amc.pruning.masks import held_masks
from amc.surgery import cut
from amc.tracing.build import trace


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network in training mode, and its ONNX file."""
    network = tiny("depthwise").train()
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    save_onnx(network, images(1), path)
    return network, path


def test_an_onnx_file_computes_what_the_network_does_in_evaluation_mode(saved):
    _, path = saved
    inputs = images(5)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input": inputs.numpy()})
    with torch.no_grad():
        wanted = tiny("depthwise")(inputs).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert [output.name for output in session.get_outputs()] == ["logits"]
    assert session.get_inputs()[0].shape == ["batch", 3, 8, 8]


def test_the_exported_network_is_left_as_it_was(saved):
    network, _ = saved
    assert all(module.training for module in network.modules())
    before = tiny("depthwise").state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match="pip install onnx onnxscript"):
        save_onnx(tiny("depthwise"), images(1), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Case:
    """How to build a network, and two samples of what it takes."""

    build: Callable[[], nn.Module]
    inputs: Inputs


SPECIAL = ("ShuffleNet", "ViT, qkv by chunk", "Weights computed or shared")
CASES = {name: Case(build, images(2)) for name, build in TINY.items()} | {
    name: Case(ARCHITECTURES[name].build, ARCHITECTURES[name].inputs()) for name in SPECIAL
}


def pruned(case: Case) -> tuple[nn.Module, Policy]:
    """Random units of every group gone, and other weights than the unpruned network ever had."""
    model = case.build().eval()
    graph = trace(model, case.inputs)
    units = random_units(graph.full, seed=3)
    smaller = cut(model, graph, units)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for tensor in smaller.parameters():
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    # A criterion that nobody could apply without images.
    return smaller, policy_of(graph, [len(staying) for staying in units], criterion="hessian")


@pytest.mark.parametrize("name", CASES)
def test_a_pruned_network_comes_back_into_one_of_other_weights(name, tmp_path):
    case = CASES[name]
    smaller, policy = pruned(case)
    save_pruned(smaller, policy, tmp_path / "net.safetensors")
    torch.manual_seed(5)
    fresh = case.build()
    state = {key: tensor.clone() for key, tensor in fresh.state_dict().items()}
    found = load_pruned(fresh, case.inputs, tmp_path / "net.safetensors")
    assert not any(module.training for module in found.modules())
    with torch.no_grad():
        assert torch.equal(call(found, case.inputs), call(smaller.eval(), case.inputs))
    after = fresh.state_dict()
    assert all(torch.equal(after[key], tensor) for key, tensor in state.items()), "left untouched"
    assert fresh.training


def test_masked_weights_come_back_as_plain_zeros(tmp_path):
    model = tiny("residual")
    graph = decisions(model, images(1), "element")
    policy = policy_of(graph, [units // 2 for units in graph.full])
    masked = prune(model, policy, images(1))
    save_pruned(masked, policy, tmp_path / "net.safetensors")
    found = load_pruned(tiny("residual", seed=1), images(1), tmp_path / "net.safetensors")
    assert not held_masks(found)
    with torch.no_grad():
        assert torch.equal(found(images(5)), masked(images(5)))


@pytest.fixture
def saved_weights(tmp_path):
    """A file of a pruned network."""
    smaller, policy = pruned(CASES["residual"])
    save_pruned(smaller, policy, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_the_file_carries_its_policy(saved_weights):
    with safe_open(saved_weights, "pt") as file:
        policy = Policy.from_json(file.metadata()["policy"])
    assert policy == pruned(CASES["residual"])[1]


def test_another_network_is_refused_by_the_first_difference(saved_weights):
    with pytest.raises(PolicyError, match="has 'conv1' of 6 units, where this network has '0'"):
        load_pruned(tiny("depthwise"), images(1), saved_weights)


def test_tensors_that_do_not_fit_are_refused_by_the_first_difference(saved_weights):
    policy = pruned(CASES["residual"])[1]
    more = tuple(replace(group, kept=group.total) for group in policy.groups)
    with pytest.raises(ValueError, match=r"net\.safetensors does not fit .* 'conv1\.weight' is"):
        load_pruned(tiny("residual"), images(1), saved_weights, replace(policy, groups=more))


def test_a_file_without_a_policy_needs_one_from_elsewhere(saved_weights, tmp_path):
    bare = tmp_path / "bare.safetensors"
    save_file(load_file(saved_weights), bare)
    with pytest.raises(ValueError, match=r"bare\.safetensors: has no policy inside; `amc export"):
        load_pruned(tiny("residual"), images(1), bare)
    policy = pruned(CASES["residual"])[1]
    found = load_pruned(tiny("residual"), images(1), bare, policy).state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in load_file(bare).items())
