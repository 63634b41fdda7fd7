"""ONNX files are written only where they answer as the network does."""

import pytest
import torch
from torch import nn

from experiments.latency import clock, onnx_files
from experiments.latency.onnx_files import BATCHES, time_files, write_proved


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def written(network, tmp_path_factory):
    """A proved file and how far its logits are off."""
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    return path, write_proved(network, torch.randn(max(BATCHES) + 3, 1, 4, 4), path)


def test_a_file_that_answers_as_the_network_does_is_written(written):
    path, difference = written
    assert 0 <= difference < 1e-5
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("scale", [1.01, float("nan")])
def test_another_answer_is_refused_and_the_old_file_stays(
    written, network, tmp_path, monkeypatch, scale
):
    """The exporter is made to write what the network is not."""
    (tmp_path / "net.onnx").write_bytes(b"old")
    monkeypatch.setattr(
        onnx_files,
        "save_onnx",
        lambda model, example, path: path.write_bytes(written[0].read_bytes()),
    )
    other = nn.Sequential(*network[:3], nn.Linear(8, 3)).eval()
    other[3].load_state_dict(
        {key: scale * tensor for key, tensor in network[3].state_dict().items()}
    )
    with pytest.raises(ValueError, match=r"net\.onnx was not written: on 5 samples .* differ from"):
        write_proved(other, torch.randn(5, 1, 4, 4), tmp_path / "net.onnx")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_latencies_are_measured_for_every_file_in_every_round(written):
    found = time_files([written[0], written[0]], torch.randn(1, 1, 4, 4), threads=1, seconds=0)
    assert [len(rounds) for rounds in found] == [clock.ROUNDS] * 2
    assert all(run > 0 for rounds in found for burst in rounds for run in burst)
