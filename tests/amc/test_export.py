"""Networks as files; whole runs are exported in tests/experiments/test_exporting.py."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from tiny_networks import images, tiny

from amc.export import save_onnx, save_torch
from amc.policy import GroupChoice, Policy


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


def test_torch_weights_are_saved_whatever_their_layout(tmp_path):
    network = tiny("residual").to(memory_format=torch.channels_last)
    save_torch(network, Policy((GroupChoice("conv1", 3, 6),)), tmp_path / "net.safetensors")
    found = load_file(tmp_path / "net.safetensors")
    wanted = network.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
