"""The least-squares refit against numpy's, and the moments that it is made from."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import TINY, images, random_units, samples, tiny
from torch import Tensor, nn
from torch.nn import functional as F

from amc.refit import reconstruction
from amc.refit.moments import Moment, Moments, refittable
from amc.refit.reconstruction import RIDGE, Equations, Refit
from amc.refit.sampling import patches as patches_of
from amc.surgery import cut
from amc.tasks.samples import Samples
from amc.tracing.build import trace

FITS = pytest.mark.parametrize("with_offset", [False, True], ids=["linear", "affine"])


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def patches(inputs: int, area: int, rows: int = 400, seed: int = 0) -> Tensor:
    """(rows, inputs * area) correlated patches that are not centred."""
    size = inputs * area
    return noise(rows, size, seed=seed) @ noise(size, size, seed=seed + 1) + noise(size, seed=9)


def moment_of(rows: Tensor) -> Moment:
    return Moment(rows.mean(0), rows.T @ rows / len(rows))


def solve(weight: Tensor, kept: Tensor, moment: Moment, with_offset: bool) -> Refit:
    return Equations.of(weight, moment, with_offset).solve(kept)


def columns(kept: Tensor, area: int) -> Tensor:
    return (kept[:, None] * area + torch.arange(area)).flatten()


@pytest.fixture
def no_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "RIDGE", 0.0)


@FITS
@pytest.mark.parametrize("kernel", [(), (1, 1), (3, 2)], ids=str)
@pytest.mark.usefixtures("no_ridge")
def test_without_its_ridge_the_refit_is_least_squares(
    kernel: tuple[int, ...], with_offset: bool
) -> None:
    weight = noise(4, 5, *kernel, seed=3)
    area, kept = weight[0, 0].numel(), torch.tensor([0, 2, 3])
    rows = patches(5, area)
    refit = solve(weight, kept, moment_of(rows), with_offset)

    wanted = (rows @ weight.reshape(4, -1).T).numpy()
    known = rows[:, columns(kept, area)].numpy()
    if with_offset:
        known = np.hstack([known, np.ones((len(known), 1))])
    solution = np.linalg.lstsq(known, wanted, rcond=None)[0]
    found = refit.weight.reshape(4, -1).T.numpy()
    np.testing.assert_allclose(found, solution[: found.shape[0]], rtol=1e-6, atol=1e-8)
    offset = solution[found.shape[0]] if with_offset else np.zeros(4)
    np.testing.assert_allclose(refit.offset.numpy(), offset, rtol=1e-6, atol=1e-8)


@FITS
@pytest.mark.parametrize("kernel", [(), (3, 2)], ids=str)
@pytest.mark.usefixtures("no_ridge")
def test_what_refits_miss_is_told_for_every_count_at_once(
    kernel: tuple[int, ...], with_offset: bool
) -> None:
    weight = noise(4, 7, *kernel, seed=3)
    area, others = weight[0, 0].numel(), torch.tensor([4])
    units = torch.tensor([[5, 0], [2, 6], [3, 1]])  # channel 4 is another group's, and stays
    rows = patches(7, area)
    made = rows @ weight.reshape(4, -1).T
    power = (made - made.mean(0) * with_offset).square().sum()
    told = Equations.of(weight, moment_of(rows), with_offset).unexplained(units)

    assert told.shape == (4,)
    for count in range(4):
        kept = torch.cat([units[:count].flatten(), others]).sort().values
        refit = solve(weight, kept, moment_of(rows), with_offset)
        left = rows[:, columns(kept, area)] @ refit.weight.reshape(4, -1).T + refit.offset
        assert float(told[count]) == pytest.approx(float((made - left).square().sum() / power))


@pytest.mark.parametrize(("scores", "wanted"), [([1, 2, 3], [1, 0, 0]), ([3, 2, 1], [1, 1, 1])])
def test_what_refits_miss_goes_by_the_units_that_stay(scores: list[int], wanted: list[int]) -> None:
    first, last = nn.Linear(4, 3), nn.Linear(3, 2)
    with torch.no_grad():
        last.weight[:, :2] = 0  # only the third unit is heard
        first.weight.copy_(torch.eye(3, 4))  # and tells nothing of the others
    model, inputs = nn.Sequential(first, last), torch.randn(2000, 4)
    graph = trace(model, inputs[:2])
    moments = Moments.collect(model, graph, Samples(inputs, torch.zeros(2000, dtype=torch.long)))
    known = reconstruction.Reconstruction.of(model, graph, moments)
    (curve,) = reconstruction.unexplained(graph, [torch.tensor(scores)], known)
    assert curve is not None
    np.testing.assert_allclose(curve[:3].numpy(), wanted, atol=0.01)
    assert float(curve[3]) == 0


def test_a_group_that_nothing_refit_reads_has_no_such_curve() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    ranking = [torch.arange(units) for units in graph.full]
    curves = reconstruction.unexplained(graph, ranking, reconstruction.Reconstruction({}))
    assert curves == [None] * len(graph.groups)


def test_the_ridge_is_that_much_weight_decay() -> None:
    weight, kept = noise(4, 6, seed=3), torch.tensor([1, 2, 5])
    rows = patches(6, 1)
    found = solve(weight, kept, moment_of(rows), with_offset=False).weight

    known = rows[:, kept].numpy()
    ridge = RIDGE * float(rows.square().mean())
    augmented = np.vstack([known / len(rows) ** 0.5, ridge**0.5 * np.eye(3)])
    wanted = np.vstack([(rows @ weight.T).numpy() / len(rows) ** 0.5, np.zeros((3, 4))])
    solution = np.linalg.lstsq(augmented, wanted, rcond=None)[0]
    np.testing.assert_allclose(found.T.numpy(), solution, rtol=1e-6)


def test_kept_inputs_may_come_in_any_order() -> None:
    weight, rows = noise(2, 4, 3, seed=3), patches(4, 3)
    forwards = solve(weight, torch.tensor([0, 2]), moment_of(rows), with_offset=True)
    backwards = solve(weight, torch.tensor([2, 0]), moment_of(rows), with_offset=True)
    torch.testing.assert_close(backwards.weight.flip(1), forwards.weight)


def test_a_fitted_constant_leaves_no_mean_residual() -> None:
    weight, kept, rows = noise(4, 6, seed=3), torch.tensor([1, 2]), patches(6, 1)
    refit = solve(weight, kept, moment_of(rows), with_offset=True)
    residual = rows @ weight.T - rows[:, kept] @ refit.weight.T - refit.offset
    torch.testing.assert_close(residual.mean(0), torch.zeros(4, dtype=torch.float64))
    assert residual.abs().mean() > 0.1


@FITS
@pytest.mark.parametrize("seed", range(5))
def test_the_refit_is_never_worse_than_selection(seed: int, with_offset: bool) -> None:
    weight, kept = noise(4, 6, seed=seed + 20), torch.tensor([0, 1, 4])
    rows = patches(6, 1, seed=seed)
    refit = solve(weight, kept, moment_of(rows), with_offset)
    wanted = rows @ weight.T
    refitted = (wanted - rows[:, kept] @ refit.weight.T - refit.offset).square().mean(0).sum()
    selected = (wanted - rows[:, kept] @ weight[:, kept].T).square().mean(0).sum()
    # What the ridge may cost at most.
    spread = rows[:, kept].square().mean()
    room = RIDGE * spread * weight[:, kept].square().sum()
    assert refitted <= selected + room
    assert refitted < 0.99 * selected


@FITS
def test_a_duplicate_takes_over_from_the_one_that_goes(with_offset: bool) -> None:
    rows = patches(4, 1)
    rows[:, 3] = rows[:, 1]
    weight = noise(2, 4, seed=3)
    refit = solve(weight, torch.tensor([0, 1, 2]), moment_of(rows), with_offset)
    wanted = rows @ weight.T
    found = rows[:, :3] @ refit.weight.T + refit.offset
    assert (found - wanted).abs().max() < 5e-3 * wanted.abs().max()


def singular(kind: str) -> Tensor:
    rows = patches(4, 1)
    if kind == "dead":
        rows[:, 1] = 0
    if kind == "all dead":
        rows[:] = 0
    if kind == "constant":
        rows[:, 1] = 3
    if kind == "twins":
        rows[:, 1] = rows[:, 0]
    if kind == "few rows":
        rows = rows[:2]
    return rows


@FITS
@pytest.mark.parametrize("ridge", [RIDGE, 0.0], ids=["ridge", "no ridge"])
@pytest.mark.parametrize("kind", ["dead", "all dead", "constant", "twins", "few rows"])
def test_singular_moments_do_not_blow_up(
    kind: str, ridge: float, with_offset: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "RIDGE", ridge)
    weight, rows, kept = noise(2, 4, seed=3), singular(kind), torch.tensor([0, 1, 3])
    refit = solve(weight, kept, moment_of(rows), with_offset)
    assert refit.weight.isfinite().all()
    assert refit.offset.isfinite().all()
    error = rows @ weight.T - rows[:, kept] @ refit.weight.T - refit.offset
    selected = rows @ weight.T - rows[:, kept] @ weight[:, kept].T
    assert error.square().sum() <= 1.01 * selected.square().sum()


CONVOLUTIONS = {
    "plain": nn.Conv2d(2, 3, 3),
    "pointwise": nn.Conv2d(2, 3, 1),
    "padded": nn.Conv2d(2, 3, 3, padding=1),
    "strided": nn.Conv2d(2, 3, 3, stride=2, padding=1),
    "uneven_stride": nn.Conv2d(2, 3, 3, stride=(1, 3)),
    "rectangular": nn.Conv2d(2, 3, (1, 4), padding=(0, 2)),
    "dilated": nn.Conv2d(2, 3, (3, 2), dilation=(2, 3), padding=2),
    "same": nn.Conv2d(2, 3, (3, 5), padding="same"),
    "valid": nn.Conv2d(2, 3, 3, padding="valid"),
    "reflected": nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="circular"),
    "replicated": nn.Conv2d(2, 3, 3, stride=2, padding=1, padding_mode="replicate"),
    "whole_image": nn.Conv2d(2, 3, (7, 9)),
}


def true_patches(conv: nn.Conv2d, inputs: Tensor) -> Tensor:
    """(positions, d) all input patches of one sample, by torch's own unfold."""
    sides = conv._reversed_padding_repeated_twice
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    padded = F.pad(inputs, sides, mode=mode)
    return F.unfold(padded, conv.kernel_size, conv.dilation, 0, conv.stride)[0].T


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_patches_are_those_that_the_convolution_reads(name: str) -> None:
    conv, inputs = CONVOLUTIONS[name], noise(2, 2, 7, 9).float()
    rows = patches_of(conv, inputs, 300, torch.Generator().manual_seed(0)).view(2, 300, -1)
    for sample in range(2):
        known = true_patches(conv, inputs[sample : sample + 1])
        same = (rows[sample][:, None] == known).all(2)  # (300, positions)
        assert same.any(1).all(), "every row is a patch of that sample"
        assert same.any(0).all(), "every patch is among 300 random ones"


def between_patches_and_outputs(conv: Any, inputs: torch.Tensor, positions: int) -> torch.Tensor:
    """(patches, positions) distance of each patch times weights to each of the outputs."""
    rows = patches_of(conv, inputs, positions, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = rows @ conv.weight.flatten(1).T + conv.bias
        outputs = conv(inputs)[0].flatten(1).T  # (positions, channels)
    return torch.cdist(found, outputs, compute_mode="donot_use_mm_for_euclid_dist")


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_patches_times_weights_are_the_convolutions_outputs(name: str) -> None:
    distances = between_patches_and_outputs(CONVOLUTIONS[name], noise(1, 2, 7, 9).float(), 20)
    assert distances.min(1).values.max() < 1e-5


OTHER_AXES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "one": (nn.Conv1d(2, 3, 4, stride=2, padding=3, dilation=2), (1, 2, 11)),
    "three": (nn.Conv3d(2, 3, (1, 2, 3), stride=(2, 1, 1), padding=1), (1, 2, 3, 4, 5)),
}


@pytest.mark.parametrize("name", OTHER_AXES)
def test_patches_times_weights_are_the_outputs_along_any_number_of_axes(name: str) -> None:
    conv, shape = OTHER_AXES[name]
    distances = between_patches_and_outputs(conv, noise(*shape).float(), 1500)
    assert distances.min(1).values.max() < 1e-5
    assert distances.min(0).values.max() < 1e-5


class Swapped(nn.Module):
    """A linear layer that stores (inputs, outputs), as GPT-2's does."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight, self.bias = nn.Parameter(torch.randn(nx, nf)), nn.Parameter(torch.zeros(nf))

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weight + self.bias


Swapped.__name__ = "Conv1D"

READERS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    "one_axis": (nn.Conv1d(2, 4, 3), nn.Conv1d(4, 3, 3, padding=1), (40, 2, 9)),
    "three_axes": (nn.Conv3d(2, 4, 1), nn.Conv3d(4, 3, 2), (40, 2, 3, 4, 5)),
    "places": (nn.Linear(2, 4), nn.Linear(4, 3), (40, 5, 2)),
    "swapped": (nn.Linear(2, 4), Swapped(3, 4), (40, 5, 2)),
    "after_norm": (nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)), nn.Linear(4, 3), (90, 6)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_channel_that_another_repeats_is_not_missed(name: str) -> None:
    maker, reader, shape = READERS[name]
    net = nn.Sequential(maker, nn.Tanh(), reader).eval()
    first = maker[0] if isinstance(maker, nn.Sequential) else maker
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (*first.parameters(), *reader.parameters()):
            parameter.normal_(generator=generator)
        first.weight[3] = first.weight[1]
        first.bias[3] = first.bias[1]
    inputs = noise(*shape).float()
    graph = trace(net, inputs[:2])
    moments = Moments.collect(net, graph, Samples(inputs, torch.zeros(len(inputs)).long()))
    smaller = cut(net, graph, ((0, 1, 2),), moments)
    with torch.no_grad():
        wanted = net(inputs)
        error = (smaller(inputs) - wanted).abs().max()
        unfit = (cut(net, graph, ((0, 1, 2),))(inputs) - wanted).abs().max()
    assert error < 0.02 * wanted.std()
    assert error < 0.1 * unfit


def test_what_sums_overlapping_patches_or_has_groups_is_not_refit() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 6, 2), nn.Conv2d(6, 6, 1, groups=2)),
        *(nn.Conv2d(6, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)),
    )
    moments = Moments.collect(net, trace(net, images()), samples(20))
    assert set(moments.by_layer) == {"3", "6"}


def test_rows_of_a_linear_layer_are_all_samples() -> None:
    inputs = noise(5, 6).float()
    rows = patches_of(nn.Linear(6, 2), inputs, 10, torch.Generator().manual_seed(0))
    assert torch.equal(rows, inputs)


def test_rows_of_a_linear_layer_over_places_are_drawn_from_each_sample() -> None:
    inputs = noise(3, 4, 5, 6).float()
    rows = patches_of(nn.Linear(6, 2), inputs, 200, torch.Generator().manual_seed(0))
    for sample, drawn in zip(inputs, rows.view(3, 200, 6), strict=True):
        same = (drawn[:, None] == sample.flatten(0, 1)).all(2)
        assert (same.sum(1) == 1).all()
        assert same.any(0).all()


def perceptron_inputs(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """What each prunable layer's reader gets."""
    hidden = torch.relu(model[1](inputs.flatten(1)))
    return {"3": hidden, "5": torch.relu(model[3](hidden))}


def test_moments_are_those_of_the_layers_inputs() -> None:
    model, calibration = tiny("perceptron"), samples(250)
    moments = Moments.collect(model, trace(model, images()), calibration)
    with torch.no_grad():
        wanted = perceptron_inputs(model, calibration.inputs)
    assert set(moments.by_layer) == set(wanted)
    for name, rows in wanted.items():
        found = moments.by_layer[name]
        torch.testing.assert_close(found.mean, rows.mean(0))
        torch.testing.assert_close(found.second, rows.T @ rows / len(rows))


def test_moments_of_many_positions_come_close_to_those_of_all() -> None:
    model, calibration = tiny("residual"), samples(100)
    graph = trace(model, images())
    found = Moments.collect(model, graph, calibration, positions=400).by_layer["conv2"]
    with torch.no_grad():
        skip = torch.relu(model.norm1(model.conv1(calibration.inputs)))
    rows = F.unfold(skip, 3, padding=1).transpose(1, 2).flatten(0, 1)
    second = rows.T @ rows / len(rows)
    assert (found.second - second).norm() < 0.02 * second.norm()
    assert (found.mean - rows.mean(0)).norm() < 0.02 * rows.mean(0).norm()


def test_moments_of_a_layer_that_runs_twice_are_over_both_runs() -> None:
    model, calibration = tiny("reused"), samples(100)
    found = Moments.collect(model, trace(model, images()), calibration, positions=300)
    with torch.no_grad():
        first = torch.relu(model.stem(calibration.inputs))
        second = torch.relu(model.norm(model.inner(first)))
    rows = torch.cat(
        [F.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1) for x in (first, second)]
    )
    mean = found.by_layer["inner"].mean
    assert (mean - rows.mean(0)).norm() < 0.02 * mean.norm()


def test_the_same_seed_draws_the_same_positions() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    one, same, other = (
        Moments.collect(model, graph, samples(20), positions=3, seed=seed).by_layer["conv2"].second
        for seed in (5, 5, 6)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_layers_that_lose_inputs_alone_are_refit() -> None:
    graph = trace(tiny("depthwise"), images())
    assert refittable(graph) == ["6", "10"]
    graph = trace(tiny("concatenated"), images())
    assert refittable(graph) == ["both", "linear"]


def test_collecting_leaves_the_network_as_it_was() -> None:
    model = tiny("residual").train()
    model.norm2.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    Moments.collect(model, trace(model, images()), samples(20))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert (model.training, model.norm2.training) == (True, False)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_collecting_cleans_up_after_inputs_that_do_not_fit() -> None:
    model = tiny("residual").train()
    graph = trace(model, images())
    wrong = Samples(torch.randn(2, 1, 8, 8), torch.zeros(2, dtype=torch.long))
    with pytest.raises(RuntimeError):
        Moments.collect(model, graph, wrong)
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("name", TINY)
def test_where_nothing_is_pruned_nothing_changes(name: str) -> None:
    model = tiny(name)
    graph = trace(model, images())
    all_units = tuple(tuple(range(units)) for units in graph.full)
    same = cut(model, graph, all_units, Moments.collect(model, graph, samples(30)))
    for key, tensor in model.state_dict().items():
        assert torch.equal(same.state_dict()[key], tensor)


def test_only_readers_of_what_is_pruned_are_refit() -> None:
    model = tiny("perceptron")
    graph = trace(model, images())
    moments = Moments.collect(model, graph, samples(200))
    smaller = cut(model, graph, (tuple(range(9)), (0, 2, 3, 6)), moments)
    assert torch.equal(smaller[1].weight, model[1].weight)
    assert torch.equal(smaller[3].weight, model[3].weight[[0, 2, 3, 6]])
    assert not torch.equal(smaller[5].weight, model[5].weight[:, [0, 2, 3, 6]])


def output_error(model: nn.Module, smaller: nn.Module, inputs: Tensor) -> float:
    with torch.no_grad():
        return float((smaller(inputs) - model(inputs)).square().mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_last_layers_refit_lowers_the_networks_own_error(seed: int) -> None:
    model, calibration = tiny("perceptron", seed), samples(300, seed)
    graph = trace(model, images())
    moments = Moments.collect(model, graph, calibration)
    units = (tuple(range(9)), (0, 1, 4, 5))
    refit = output_error(model, cut(model, graph, units, moments), calibration.inputs)
    selected = output_error(model, cut(model, graph, units), calibration.inputs)
    assert refit < 0.9 * selected


TWINS = {
    # The channel to go, its twin, and the layers that read them.
    "residual": ("conv2", "norm2", 1, 4, (0, 1)),
    "unusual": ("0", "1", 2, 5, (1, 0, 0, 0)),
}


@pytest.mark.parametrize("name", TWINS)
def test_one_of_two_identical_channels_is_not_missed(name: str) -> None:
    conv, norm, gone, twin, pruned = TWINS[name]
    model = tiny(name)
    graph = trace(model, images())
    for tensor in (
        *model.get_submodule(conv).state_dict().values(),
        *model.get_submodule(norm).state_dict().values(),
    ):
        if tensor.dim():
            tensor[gone] = tensor[twin]
    calibration = samples(400)
    units = tuple(
        tuple(unit for unit in range(total) if not (prune and unit == gone))
        for total, prune in zip(graph.full, pruned, strict=True)
    )
    moments = Moments.collect(model, graph, calibration, positions=30)
    refit = output_error(model, cut(model, graph, units, moments), calibration.inputs)
    selected = output_error(model, cut(model, graph, units), calibration.inputs)
    assert refit < 1e-4 * selected
    assert selected > 1e-3


def test_the_mean_of_what_is_pruned_moves_into_the_norm() -> None:
    model, calibration = tiny("residual"), samples(400)
    graph = trace(model, images())
    moments = Moments.collect(model, graph, calibration, positions=64)
    smaller = cut(model, graph, (tuple(range(6)), (0, 3)), moments)
    with torch.no_grad():
        skip = torch.relu(model.norm1(model.conv1(calibration.inputs)))
        wanted, found = (
            net.norm3(net.conv3(torch.relu(net.norm2(net.conv2(skip))))) for net in (model, smaller)
        )
    # Borders have other means than the rest, hence the whole image's.
    torch.testing.assert_close(found.mean((0, 2, 3)), wanted.mean((0, 2, 3)), atol=0.02, rtol=0)
    assert (found - wanted).abs().mean() > 0.05


def test_the_mean_of_what_is_pruned_moves_into_the_bias() -> None:
    model, calibration = tiny("depthwise"), samples(400)
    graph = trace(model, images())
    moments = Moments.collect(model, graph, calibration, positions=36)
    smaller = cut(model, graph, ((0, 1, 2), tuple(range(5))), moments)
    with torch.no_grad():
        wanted, found = model[:7](calibration.inputs), smaller[:7](calibration.inputs)
    torch.testing.assert_close(found.mean((0, 2, 3)), wanted.mean((0, 2, 3)), atol=0.02, rtol=0)
    assert (found - wanted).abs().mean() > 0.05


@pytest.mark.parametrize("name", TINY)
def test_refits_are_finite_whatever_goes(name: str) -> None:
    model = tiny(name)
    graph = trace(model, images())
    moments = Moments.collect(model, graph, samples(4), positions=2)
    for seed in range(5):
        smaller = cut(model, graph, random_units(graph.full, seed), moments)
        assert all(tensor.isfinite().all() for tensor in smaller.state_dict().values())


def test_double_precision_stays_double() -> None:
    model: Any = tiny("unusual").double()
    graph = trace(model, images().double())
    calibration = Samples(samples(50).inputs.double(), samples(50).labels)
    units = random_units(graph.full, seed=1)
    smaller = cut(model, graph, units, Moments.collect(model, graph, calibration))
    assert {p.dtype for p in smaller.parameters()} == {torch.float64}
    assert smaller(images().double()).isfinite().all()
