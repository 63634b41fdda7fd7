"""Networks in 8-bit integers: their programs, and what they are worth."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from exported import Exported
from torch import Tensor, nn

from amc.tasks import Classification, Samples
from experiments.latency import InBytesError, clock, scores_in_bytes
from experiments.latency.profiling import export_network, in_turns, payload
from experiments.latency.profiling.quantising import noise, quantised


def kinds(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


def test_weights_are_bytes_and_activations_are_quantised(small: Exported) -> None:
    made = payload(small.template.program, "onnxruntime-int8")
    model = onnx.load_from_string(made)
    types = {item.name: item.data_type for item in model.graph.initializer}
    weights = [node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"]
    stored = [types[name] for name in weights if name in types]
    assert onnx.TensorProto.INT8 in stored
    assert kinds(made).count("QuantizeLinear") >= kinds(made).count("Conv")


def test_a_program_in_bytes_runs(small: Exported) -> None:
    made = export_network(small.model, small.inputs, "onnxruntime-int8")
    run = clock.load("onnxruntime-int8", made, threads=1)
    (answer,) = run()
    assert answer.shape == (2, 5)
    (timing,), _ = in_turns([made], "onnxruntime-int8", 1, asked="")
    assert timing["seconds"] > 0


def test_answers_in_bytes_are_near_those_in_floats(small: Exported) -> None:
    model = onnx.load_from_string(export_network(small.model, small.inputs, "onnxruntime"))
    feeds = noise(model)
    floats = clock.load("onnxruntime", model.SerializeToString(), 1)()
    bytes_ = clock.load("onnxruntime-int8", quantised(model, [feeds]), 1)()
    spread = np.abs(floats[0]).max()
    assert np.abs(floats[0] - bytes_[0]).max() < 0.1 * spread


class Net(nn.Module):
    """Tells pictures whose left half is bright from others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, 1, 8, 8) to (samples, 2)."""
        logits: Tensor = self.head(torch.relu(self.conv(images)).mean((2, 3)))
        return logits


def task(samples: int = 200) -> Classification:
    torch.manual_seed(0)
    labels = torch.arange(samples) % 2
    images = torch.randn(samples, 1, 8, 8) + 3.0 * labels[:, None, None, None]
    data = Samples(images, labels)
    return Classification(data, data, data)


def test_the_score_in_bytes_is_that_of_the_quantised_network() -> None:
    torch.manual_seed(1)
    net, given = Net().eval(), task()
    with torch.no_grad():  # The mean over all places tells the classes apart.
        net.conv.weight.fill_(0.1)
        net.head.weight.copy_(torch.tensor([[-1.0] * 8, [1.0] * 8]))
        net.head.bias.copy_(torch.tensor([8.0, -8.0]))
    found = scores_in_bytes(net, given.score_loader.inputs[:1], given)  # type: ignore[union-attr]
    assert found.holdout > 0.9
    assert found.test == found.holdout


def test_what_cannot_be_scored_in_bytes_is_told() -> None:
    class Two(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images, images

    with pytest.raises(InBytesError, match="more than one tensor"):
        scores_in_bytes(Two(), torch.zeros(1, 1, 8, 8), task())


def test_norms_are_folded_before_a_network_is_quantised() -> None:
    """One between a convolution and what follows would compute in floats."""
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
    made = export_network(net.eval(), torch.randn(1, 1, 8, 8), "onnxruntime-int8")
    assert "BatchNormalization" not in kinds(made)
    assert kinds(made).count("Conv") == 2
