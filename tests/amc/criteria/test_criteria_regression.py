"""The elimination of channels against least squares solved anew."""

import pytest
import torch
from tiny_networks import images, samples, tiny
from torch import Tensor, nn

from amc.criteria import regression, scores
from amc.criteria.regression import Reader, eliminate
from amc.tasks.samples import Samples
from amc.tracing.build import trace


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rest(rows: Tensor, weight: Tensor, columns: Tensor) -> float:
    """Mean square of the output that these columns cannot explain, by least squares."""
    wanted = rows @ weight
    solution = torch.linalg.lstsq(rows[:, columns], wanted).solution
    return float((wanted - rows[:, columns] @ solution).square().sum() / len(rows))


def layers(count: int, units: int, width: int) -> list[tuple[Tensor, Tensor]]:
    """Correlated input rows and weights of layers that read the same units."""
    size = units * width
    return [
        (drawn(60, size, seed=n) @ drawn(size, size, seed=n + 9), drawn(size, 3, seed=n + 99))
        for n in range(count)
    ]


def reader(rows: Tensor, weight: Tensor, units: int) -> Reader:
    columns = torch.arange(rows.shape[1]).view(units, -1)
    inverse = torch.linalg.inv(rows.T @ rows / len(rows))
    return Reader(inverse, weight, columns, float((rows @ weight).square().sum() / len(rows)))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("width", [1, 4])
def test_every_step_takes_the_unit_that_least_squares_misses_least(count: int, width: int) -> None:
    units, read = 5, layers(count, 5, width)
    found = eliminate([reader(*one, units) for one in read])
    left = list(range(units))
    while left:
        errors = {}
        for unit in left:
            stay = [other for other in left if other != unit]
            columns = torch.arange(units * width).view(units, width)[stay].flatten()
            errors[unit] = sum(
                rest(*one, columns) / float((one[0] @ one[1]).square().sum() / len(one[0]))
                for one in read
            )
        gone = min(errors, key=errors.__getitem__)
        assert float(found[gone]) == pytest.approx(errors[gone], rel=1e-6)
        left.remove(gone)


def test_of_two_equal_channels_one_can_go_and_then_the_other_is_needed() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))
    net[0].weight.data[3], net[0].bias.data[3] = net[0].weight.data[1], net[0].bias.data[1]
    net[0].bias.data += 1
    net[2].weight.data[:, [1, 3]] += 1
    inputs = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    data = Samples(inputs, torch.zeros(200, dtype=torch.long))
    found = scores("regression", net, trace(net, inputs), data)[0]
    low, high = sorted(found[[1, 3]].tolist())
    assert low < 1e-3
    assert high > 0.1


def test_a_channel_that_never_changes_goes_first_where_a_bias_can_take_its_place() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))
    net[0].weight.data[2], net[0].bias.data[2] = 0, 100
    found = scores("regression", net, trace(net, torch.randn(2, 6)), noise(200))[0]
    assert found.argmin() == 2


def noise(count: int) -> Samples:
    inputs = torch.randn(count, 6, generator=torch.Generator().manual_seed(0))
    return Samples(inputs, torch.zeros(count, dtype=torch.long))


def test_more_rows_of_a_group_are_needed_than_there_are_samples_and_it_still_ranks() -> None:
    model = tiny("flattened")
    found = scores("regression", model, trace(model, images()), samples(2))
    assert all(score.isfinite().all() for score in found)


def test_activations_that_are_not_finite_are_refused() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))
    graph = trace(net, torch.randn(2, 6))
    net[0].bias.data[0] = float("inf")
    with pytest.raises(ValueError, match="layer 2 reads on the calibration data is not finite"):
        scores("regression", net, graph, noise(20))


def test_a_larger_ridge_is_taken_where_the_moment_is_not_positive() -> None:
    second = torch.diag(torch.tensor([1.0, 1.0, -1e-3], dtype=torch.float64))
    inverse = regression._inverse(second)
    assert inverse.isfinite().all()
    assert torch.linalg.eigvalsh(inverse).min() > 0


def test_groups_that_no_refit_reads_are_named() -> None:
    model = tiny("grouped")
    with pytest.raises(ValueError, match="no layer that can be refit reads 0; leave"):
        scores("regression", model, trace(model, images()), samples(4))
