"""The table of kinds agrees with what the modules are."""

from typing import Any

import pytest
import torch
from torch import nn

from amc.modules import kinds

MODULES: dict[str, tuple[nn.Module, str, int, int]] = {
    "conv1d": (nn.Conv1d(4, 6, 3), "conv", 6, 4),
    "conv2d": (nn.Conv2d(4, 6, 3, groups=2), "conv", 6, 4),
    "conv3d": (nn.Conv3d(4, 6, 3), "conv", 6, 4),
    "transposed1d": (nn.ConvTranspose1d(4, 6, 3), "conv", 6, 4),
    "transposed2d": (nn.ConvTranspose2d(4, 6, 3, groups=2), "conv", 6, 4),
    "transposed3d": (nn.ConvTranspose3d(4, 6, 3), "conv", 6, 4),
    "depthwise": (nn.Conv2d(4, 4, 3, groups=4), "conv", 4, 4),
    "linear": (nn.Linear(4, 6, bias=False), "linear", 6, 4),
    "attention": (nn.MultiheadAttention(4, 2), "linear", 12, 4),
    "embedding": (nn.Embedding(9, 6), "embedding", 6, 9),
    "batch_norm": (nn.BatchNorm3d(6), "norm", 6, 6),
    "instance_norm": (nn.InstanceNorm1d(6), "norm", 6, 6),
    "group_norm": (nn.GroupNorm(2, 6), "norm", 6, 6),
    "layer_norm": (nn.LayerNorm(6), "norm", 6, 6),
    "rms_norm": (nn.RMSNorm(6), "norm", 6, 6),
    "slopes": (nn.PReLU(6), "norm", 6, 6),
}


@pytest.mark.parametrize("name", MODULES)
def test_channels_are_counted_and_lie_where_the_table_says(name: str) -> None:
    module, layer, outputs, inputs = MODULES[name]
    assert kinds.known_kind(module).layer == layer
    assert kinds.channels(module, "out") == outputs
    assert kinds.channels(module, "in") == inputs
    for key, tensor in kinds.tensors_of(module).items():
        for axis, side in enumerate(kinds.roles(module, key)):
            if side is not None:
                groups = kinds.groups_of(module) if axis == 1 else 1
                assert tensor.shape[axis] * groups == kinds.channels(module, side)


OTHERS: dict[str, nn.Module] = {
    "pooling": nn.MaxPool2d(2),
    "bilinear": nn.Bilinear(2, 3, 4),
    "lstm": nn.LSTM(3, 4),
    "norm_of_images": nn.LayerNorm((3, 4)),
    "several_widths": nn.MultiheadAttention(4, 2, kdim=3),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_in_the_table_is_not_known(name: str) -> None:
    assert kinds.kind_of(OTHERS[name]) is None
    with pytest.raises(TypeError, match="is not in the table of kinds; leave it alone"):
        kinds.known_kind(OTHERS[name])


COUNTED = sorted(set(MODULES) - {"attention"})


@pytest.mark.parametrize("name", COUNTED)
def test_a_new_number_of_channels_is_read_back(name: str) -> None:
    module: Any = MODULES[name][0]
    before = kinds.channels(module, "out")
    kinds.keep_channels(module, "out", torch.tensor([0, before - 1]))
    assert kinds.channels(module, "out") == 2
    kinds.keep_channels(module, "out", torch.arange(before))
    assert kinds.channels(module, "out") == before


@pytest.mark.parametrize(
    ("module", "shape", "axis"),
    [
        (nn.Conv2d(4, 6, 1), (2, 4, 8, 9), 1),
        (nn.Conv2d(4, 6, 1), (4, 8, 9), 0),
        (nn.Conv1d(4, 6, 1), (2, 4, 9), 1),
        (nn.Linear(4, 6), (2, 3, 5, 4), 3),
        (nn.BatchNorm1d(4), (2, 4), 1),
        (nn.GroupNorm(2, 4), (2, 4, 7), 1),
        (nn.LayerNorm(4), (2, 7, 4), 2),
    ],
)
def test_the_axis_of_channels(module: nn.Module, shape: tuple[int, ...], axis: int) -> None:
    assert kinds.channel_axis(module, shape) == axis
    with torch.no_grad():
        assert module(torch.randn(shape)).dim() == len(shape)


def test_weights_that_are_computed_or_shared_are_told() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    net[2].weight = net[0].weight
    nn.utils.parametrizations.orthogonal(net[3])
    assert kinds.shared(net) == {
        "0": "it meets 0, which shares its weight with 2",
        "2": "it meets 2, which shares its weight with 0",
    }
    assert kinds.frozen(net) == {"3": "it meets 3, which computes its weight from other parameters"}


def test_parameters_that_the_kind_does_not_have_are_told() -> None:
    net = nn.Sequential(nn.MultiheadAttention(4, 2, add_bias_kv=True), nn.Linear(3, 3))
    assert kinds.frozen(net) == {"0": "it meets 0, which has a bias_k of its own"}
