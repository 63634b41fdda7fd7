"""First and second-order scores against what they stand for."""

from typing import Any

import pytest
import torch
from tiny_networks import Wired, averaged, images, samples, tiny
from torch import Tensor, nn
from torch.nn import functional as F

from amc.criteria import gradients, scores, weight_scores
from amc.criteria.members import channel_sums
from amc.graph import PruningGraph
from amc.surgery import mask
from amc.tasks.samples import Samples
from amc.tracing.build import trace

COUNT = 6


def losses(model: nn.Module, data: Samples) -> Tensor:
    """(samples,) cross-entropy of each sample."""
    with torch.no_grad():
        return F.cross_entropy(model(data.inputs), data.labels, reduction="none").double()


def slopes(net: nn.Module, graph: PruningGraph, data: Samples) -> list[Tensor]:
    """(samples, units) how each sample's loss rises as a unit fades, by central differences.

    A unit fades when all layers that read it read less of it.
    """
    step = 1e-6
    found = []
    for group in graph.groups:
        columns = []
        for unit in range(group.units):
            sides = []
            for factor in (1 - step, 1 + step):
                faded = {m.module: net.get_parameter(f"{m.module}.weight") for m in group.members}
                kept = {name: weight.detach().clone() for name, weight in faded.items()}
                for member in group.members:
                    if member.side == "in":
                        faded[member.module].data[:, list(member.indices[unit])] *= factor
                sides.append(losses(net, data))
                for name, weight in kept.items():
                    faded[name].data = weight
            columns.append((sides[1] - sides[0]) / (2 * step))
        found.append(torch.stack(columns, 1))
    return found


@pytest.mark.parametrize("network", ["residual", "flattened", "gated", "depthwise", "concatenated"])
def test_units_score_by_the_slope_of_each_samples_loss(network: str) -> None:
    net, data = tiny(network).double(), samples(COUNT)
    data = Samples(data.inputs.double(), data.labels)
    graph = trace(net, images().double())
    first, second = (scores(name, net, graph, data) for name in ("taylor", "hessian"))
    for slope, size, square in zip(slopes(net, graph, data), first, second, strict=True):
        torch.testing.assert_close(size.double(), slope.abs().mean(0), rtol=1e-3, atol=1e-6)
        half_square = slope.square().mean(0) / 2
        torch.testing.assert_close(square.double(), half_square, rtol=2e-3, atol=1e-7)


def test_weights_score_by_each_samples_own_gradient() -> None:
    net, data = tiny("perceptron"), samples(COUNT)
    graph = trace(net, images())
    first, second = (weight_scores(name, net, graph, data) for name in ("taylor", "hessian"))
    weight = net.get_parameter("3.weight")
    rows = []
    for inputs, labels in data.batches(1):
        rows.append(torch.autograd.grad(F.cross_entropy(net(inputs), labels), weight)[0])
    changes = torch.stack(rows) * weight.detach()
    torch.testing.assert_close(first["3"], changes.abs().mean(0))
    torch.testing.assert_close(second["3"], changes.square().mean(0) / 2)


def test_a_linear_loss_changes_by_exactly_its_first_order() -> None:
    """Both classes have the same logit but for a small part: there cross-entropy is linear."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
    net[1].weight.data.mul_(1e-3)
    data = Samples(torch.randn(1, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([1]))
    graph = trace(net, data.inputs)
    found = scores("taylor", net, graph, data)[0]
    for unit in range(4):
        kept = tuple(other for other in range(4) if other != unit)
        change = losses(mask(net, graph, (kept,)), data) - losses(net, data)
        torch.testing.assert_close(found[unit].double(), change.abs()[0], rtol=0.01, atol=1e-7)


def test_all_that_read_a_unit_add_up() -> None:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        hidden = torch.relu(net.one(inputs))
        return net.two(averaged(hidden)) + net.three(averaged(hidden))

    torch.manual_seed(0)
    layers = {"one": nn.Conv2d(3, 4, 3), "two": nn.Linear(4, 4), "three": nn.Linear(4, 4)}
    net = Wired(forward, **layers).eval()
    graph, data = trace(net, images()), samples(COUNT)
    before = scores("taylor", net, graph, data)[0]
    net.three.weight.data += net.two.weight.data
    net.two.weight.data.zero_()
    torch.testing.assert_close(scores("taylor", net, graph, data)[0], before)


def test_only_so_many_samples_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny("perceptron")
    graph, data = trace(net, images()), samples(COUNT)
    monkeypatch.setattr(gradients, "SAMPLES", 2)
    few = scores("taylor", net, graph, data, seed=3)
    chosen = torch.randperm(COUNT, generator=torch.Generator().manual_seed(3))[:2]
    for one, other in zip(few, scores("taylor", net, graph, data.take(chosen)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("network", ["transposed", "grouped"])
def test_sums_of_any_layer_are_those_of_its_own_channels(network: str) -> None:
    """Setting a channel's inputs to zero is the same as its values leaving the sum."""
    torch.manual_seed(0)
    layer = {
        "transposed": nn.ConvTranspose2d(4, 6, 3, groups=2),
        "grouped": nn.Conv2d(4, 6, 3, groups=2),
    }[network]
    inputs = torch.rand(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    nn.init.uniform_(layer.weight, 0, 1)
    (gradient,) = torch.autograd.grad(layer(inputs).sum(), layer.weight)
    found = channel_sums(layer, (gradient * layer.weight).detach(), "in")
    for channel in range(4):
        less = inputs.clone()
        less[:, channel] = 0
        change = float((layer(inputs) - layer(less)).detach().sum())
        assert float(found[channel]) == pytest.approx(change, rel=1e-4)
    written = channel_sums(layer, (gradient * layer.weight).detach(), "out")
    whole = (layer(inputs).sum((0, 2, 3)) - layer(0 * inputs).sum((0, 2, 3))).detach()
    torch.testing.assert_close(written, whole)
