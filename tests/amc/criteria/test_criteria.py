"""Which units go first, computed by hand."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_networks import TINY, Wired, averaged, images, samples, tiny
from torch import Tensor, nn

from amc.criteria import CRITERIA, best_units, criterion, scores, weight_scores
from amc.granularity import Granularity
from amc.graph import PruningGraph
from amc.tracing.build import trace

MAGNITUDES = ("l1", "l2", "lp", "lp:3")
MASKING = [name for name, entry in CRITERIA.items() if entry.masks is True]


def two_layers(first: list[list[float]], second: list[list[float]]) -> tuple[nn.Module, Any]:
    """Two linear layers with these weights, and their graph."""
    one, two = torch.tensor(first), torch.tensor(second)
    net = nn.Sequential(nn.Linear(*one.T.shape), nn.ReLU(), nn.Linear(*two.T.shape))
    net[0].weight.data, net[2].weight.data = one, two
    return net, trace(net, torch.randn(2, one.shape[1]))


def test_l1_is_the_mean_of_both_sides_each_scaled_to_mean_one() -> None:
    net, graph = two_layers([[1.0, -2.0], [3.0, 4.0]], [[2.0, -6.0]])
    # Rows sum to 3 and 7 (mean 5), columns to 2 and 6 (mean 4).
    wanted = torch.tensor([(3 / 5 + 2 / 4) / 2, (7 / 5 + 6 / 4) / 2])
    torch.testing.assert_close(scores("l1", net, graph)[0], wanted)


def test_l2_is_the_same_with_euclidean_norms() -> None:
    net, graph = two_layers([[3.0, 4.0], [0.0, -1.0]], [[1.0, 2.0], [0.0, 2.0]])
    rows, columns = torch.tensor([5.0, 1.0]), torch.tensor([1.0, 8**0.5])
    wanted = (rows / rows.mean() + columns / columns.mean()) / 2
    torch.testing.assert_close(scores("l2", net, graph)[0], wanted)


def test_biases_and_norms_do_not_count() -> None:
    model = tiny("depthwise")
    graph = trace(model, images())
    before = scores("l1", model, graph)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 100.0)
        if getattr(module, "bias", None) is not None:
            nn.init.constant_(module.bias, -100.0)
    for old, new in zip(before, scores("l1", model, graph), strict=True):
        assert torch.equal(old, new)


def coupled() -> tuple[nn.Module, PruningGraph]:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        return net.linear(averaged(torch.relu(net.one(inputs) + net.two(inputs))))

    layers = {"two": nn.Conv2d(3, 3, 1), "linear": nn.Linear(3, 2)}
    net = Wired(forward, one=nn.Conv2d(3, 3, 1), **layers)
    return net, trace(net, images())


def test_all_layers_of_a_sum_have_their_say() -> None:
    net, graph = coupled()
    for layer, sizes in {"one": [1, 2, 3], "two": [9, 0, 0], "linear": [1, 1, 4]}.items():
        weight = net.get_submodule(layer).weight
        along = torch.tensor(sizes, dtype=torch.float32)
        shape = (1, -1) if layer == "linear" else (-1, 1, 1, 1)
        weight.data = torch.ones_like(weight) * along.view(shape)
    wanted = torch.tensor([0.5, 1, 1.5]) + torch.tensor([3.0, 0, 0]) + torch.tensor([0.5, 0.5, 2])
    torch.testing.assert_close(scores("l1", net, graph)[0], wanted / 3)


@pytest.mark.parametrize("name", MAGNITUDES)
def test_a_layer_with_large_weights_does_not_outvote_the_others(name: str) -> None:
    net, graph = coupled()
    before = scores(name, net, graph)[0]
    net.one.weight.data *= 1000
    torch.testing.assert_close(scores(name, net, graph)[0], before)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        (name, network)
        for name in CRITERIA
        for network in TINY
        if (name != "bn-scale" or network == "residual")
        and (name, network) != ("regression", "grouped")
    ],
)
def test_every_unit_of_every_group_has_a_finite_score(name: str, network: str) -> None:
    model = tiny(network)
    graph = trace(model, images())
    found = scores(name, model, graph, samples(6))
    assert [score.shape for score in found] == [(units,) for units in graph.full]
    assert all(score.isfinite().all() and not score.requires_grad for score in found)


@pytest.mark.parametrize("name", MAGNITUDES)
def test_a_unit_without_weights_goes_first(name: str) -> None:
    model = tiny("flattened")
    graph = trace(model, images())
    model[2].weight.data[3] = 0
    model[6].weight.data[:, 12:16] = 0
    assert scores(name, model, graph)[1].argmin() == 3


@pytest.mark.parametrize("name", MAGNITUDES)
def test_a_layer_of_zeros_decides_nothing(name: str) -> None:
    net, graph = two_layers([[1.0, 1.0], [3.0, 1.0]], [[0.0, 0.0]])
    assert scores(name, net, graph)[0].argmax() == 1
    net[0].weight.data.zero_()
    assert scores(name, net, graph)[0].tolist() == [0, 0]


def test_a_unit_of_several_positions_counts_them_all() -> None:
    model = tiny("gated")
    graph = trace(model, images())
    model.conv.weight.data.zero_()
    model.conv.weight.data[6] = 1.0
    assert scores("l1", model, graph)[0].argmax() == 2


def test_lp_is_the_same_with_any_p() -> None:
    net, graph = two_layers([[4.0, 9.0], [0.0, 1.0]], [[1.0, 4.0], [0.0, 0.0]])
    rows, columns = torch.tensor([(2 + 3.0) ** 2, 1]), torch.tensor([1.0, 4.0])
    wanted = (rows / rows.mean() + columns / columns.mean()) / 2
    torch.testing.assert_close(scores("lp:0.5", net, graph)[0], wanted)
    assert weight_scores("lp:0.5", net, graph)["0"].tolist() == [[2, 3], [0, 1]]


@pytest.mark.parametrize(("short", "long"), [("l1", "lp:1"), ("l2", "lp:2"), ("lp", "lp:0.5")])
def test_the_short_names_are_cases_of_lp(short: str, long: str) -> None:
    model = tiny("residual")
    graph = trace(model, images())
    for one, other in zip(scores(short, model, graph), scores(long, model, graph), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("power", ["0", "-1", "11", "nan", "", "x"])
def test_a_p_out_of_range_is_refused(power: str) -> None:
    with pytest.raises(ValueError, match=r"p must be a number from 0\.1 to 10, as in lp:0\.5"):
        criterion(f"lp:{power}")


@pytest.mark.parametrize("name", MASKING)
@pytest.mark.parametrize("network", TINY)
def test_every_weight_of_every_layer_has_a_score(name: str, network: str) -> None:
    model = tiny(network)
    graph = trace(model, images())
    found = weight_scores(name, model, graph, samples(6))
    assert list(found) == [layer.name for layer in graph.layers if layer.kind != "norm"]
    for layer, score in found.items():
        assert score.shape == model.get_parameter(f"{layer}.weight").shape
        assert score.isfinite().all()
        assert score.min() >= 0
        assert not score.requires_grad


@pytest.mark.parametrize(("name", "power"), [("l1", 1), ("l2", 2)])
def test_weights_score_by_their_size(name: str, power: int) -> None:
    net, graph = two_layers([[1.0, -2.0], [3.0, 4.0]], [[2.0, -6.0]])
    found = weight_scores(name, net, graph)
    assert found["0"].tolist() == [[1, 2**power], [3**power, 4**power]]
    assert found["2"].tolist() == [[2**power, 6**power]]


def test_chance_depends_on_the_seed_alone() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    first, again = (scores("random", model, graph, seed=3) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], scores("random", model, graph, seed=4)[0])


@pytest.mark.parametrize("name", [name for name, entry in CRITERIA.items() if entry.needs_samples])
def test_a_criterion_without_its_images_says_so(name: str) -> None:
    net, graph = two_layers([[1.0], [1.0]], [[1.0, 1.0]])
    for call in [scores, weight_scores] if name in MASKING else [scores]:
        with pytest.raises(ValueError, match=f"'{name}' runs the network on calibration data"):
            call(name, net, graph)


@pytest.mark.parametrize("name", [name for name in CRITERIA if name not in MASKING])
def test_a_criterion_of_channels_refuses_single_weights(name: str) -> None:
    model = tiny("residual")
    with pytest.raises(ValueError, match=f"'{name}' ranks channels only: .*; take another"):
        weight_scores(name, model, trace(model, images()))


def test_layers_of_every_kind_are_scored() -> None:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        words = net.inner(net.words(inputs.flatten(1).argsort(1)[:, :5]))
        found, _ = net.attention(words, words, words, need_weights=False)
        return net.head(net.narrow(net.wide(found.transpose(1, 2))).mean(2))

    torch.manual_seed(0)
    net = Wired(
        forward,
        words=nn.Embedding(3 * 8 * 8, 6),
        inner=nn.Linear(6, 8),
        attention=nn.MultiheadAttention(8, 2, batch_first=True),
        wide=nn.ConvTranspose1d(8, 6, 2),
        narrow=nn.Conv1d(6, 4, 2, groups=2),
        head=nn.Linear(4, 4),
    ).eval()
    graph = trace(net, images())
    for name in ("l1", "taylor", "hessian", "random"):
        found = scores(name, net, graph, samples(6))
        assert [score.shape for score in found] == [(units,) for units in graph.full]
        assert all(score.isfinite().all() and score.max() > 0 for score in found)
        single = weight_scores(name, net, graph, samples(6))
        assert single["attention"].shape == (24, 8)
        assert single["words"].shape == (192, 6)


def test_units_that_are_no_channels_are_refused() -> None:
    net, graph = two_layers([[1.0], [1.0]], [[1.0, 1.0]])
    with pytest.raises(ValueError, match=r"element are no channels; rank their weights"):
        scores("l1", net, replace(graph, granularity=Granularity("element")))


@pytest.mark.parametrize("name", [name for name, entry in CRITERIA.items() if entry.needs_samples])
def test_scoring_leaves_the_network_as_it_is(name: str) -> None:
    model = tiny("residual").train().requires_grad_(False)
    graph, before = trace(model, images()), copy.deepcopy(model.state_dict())
    with torch.inference_mode():
        inside = scores(name, model, graph, samples(6))
    for one, other in zip(inside, scores(name, model, graph, samples(6)), strict=True):
        torch.testing.assert_close(one, other)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_chance_knows_nothing_of_first_weights_drawn_with_the_same_seed() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(50, 40), nn.ReLU(), nn.Linear(40, 10))
    drawn = weight_scores("random", net, trace(net, torch.randn(2, 50)), seed=0)["0"]
    both = torch.stack([drawn.flatten(), net[0].weight.detach().flatten()])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.1


def test_the_best_units_stay_in_ascending_order() -> None:
    ranking = [torch.tensor([0.1, 5.0, 3.0, 4.0]), torch.tensor([2.0, 1.0])]
    assert best_units(ranking, [3, 1]) == ((1, 2, 3), (0,))
    assert best_units(ranking, [4, 2]) == ((0, 1, 2, 3), (0, 1))


def test_of_equal_scores_the_first_stay() -> None:
    ranking = [torch.ones(1000)]
    assert best_units(ranking, [400]) == (tuple(range(400)),)


@pytest.mark.parametrize("kept", [(0, 1), (5, 1), (1,), (1, 1, 1), (-1, 1)])
def test_counts_that_do_not_suit_the_groups_are_refused(kept: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"do not suit groups of \(4, 2\) units"):
        best_units([torch.zeros(4), torch.zeros(2)], kept)


def test_an_unknown_criterion_gets_a_suggestion() -> None:
    net, graph = two_layers([[1.0], [1.0]], [[1.0, 1.0]])
    with pytest.raises(LookupError, match="unknown criterion 'L1'; did you mean 'l1'"):
        scores("L1", net, graph)
