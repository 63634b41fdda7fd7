"""Padding that counts nowhere, wherever a network has its places."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import amc
from amc.evaluation import score
from amc.finetuning import Recipe, fit
from amc.refit import Moments
from amc.tasks.padding import axes_of_places, masked, resampled

SAMPLES, PLACES, CHANNELS = 6, 32, 8


class Strided(nn.Module):
    """Half of the places after each of two convolutions, then linear layers over them."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv1d(CHANNELS, 8, 1, stride=2)
        self.two = nn.Conv1d(8, 8, 1, stride=2)
        self.three, self.four = nn.Linear(8, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        made = torch.relu(self.two(torch.relu(self.one(x)))).transpose(1, 2)
        return self.four(torch.relu(self.three(made)))


class Spectrogram(nn.Module):
    """(samples, 1, frequencies, places): time is the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1)
        self.three = nn.Linear(4 * CHANNELS, 3)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        made = torch.relu(self.two(torch.relu(self.one(x[:, None]))))
        return self.three(made.flatten(1, 2).transpose(1, 2))


class TimeFirst(nn.Module):
    """(places, samples, features) inside."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(CHANNELS, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.two(torch.relu(self.one(x.permute(2, 0, 1))))


class Flattened(nn.Module):
    """All places of all samples in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(CHANNELS, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.two(torch.relu(self.one(x.transpose(1, 2).flatten(0, 1))))


KINDS = [Strided, Spectrogram, TimeFirst, Flattened]


def batch(filled: float, samples: int = SAMPLES) -> dict[str, Tensor]:
    x = torch.randn(samples, CHANNELS, PLACES, generator=torch.Generator().manual_seed(0))
    real = torch.arange(PLACES) < 4 * torch.arange(1, samples + 1)[:, None]
    return {"x": torch.where(real[:, None], x, filled), "attention_mask": real.long()}


def made(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_what_is_no_padding(kind: type[nn.Module]) -> None:
    found: list[dict[str, Tensor]] = []
    for filled in (0.0, 100.0):
        model, given = made(kind), batch(filled)
        task = amc.Unlabelled([given]).for_problem(model, given)
        moments = Moments.collect(model, amc.trace(model, given), task)
        found.append({name: one.second for name, one in moments.by_layer.items()})
    assert found[0]
    for name, second in found[0].items():
        assert torch.equal(second, found[1][name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_and_distillation_are_those_of_what_is_no_padding(kind: type[nn.Module]) -> None:
    scores, weights = [], []
    for filled in (0.0, 100.0):
        model, other, given = made(kind), made(kind), batch(filled)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(0.8)
        task = amc.Unlabelled([given]).for_problem(model, given)
        scores.append(score(other, task))
        recipe = Recipe(lr=0.01, optimizer="sgd", weight_decay=0.0, momentum=0.0)
        fit(other, task, recipe, steps=1)
        weights.append(next(other.parameters()).detach().clone())
    assert 0 < scores[0] < 1
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


class Texts(nn.Module):
    """As many classes as there happen to be places."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.classes = nn.Embedding(20, 12), nn.Linear(12, PLACES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        real = attention_mask[..., None].float()
        return self.classes((self.words(input_ids) * real).sum(1) / real.sum(1))


def test_classes_are_no_places_though_there_are_as_many() -> None:
    ids = torch.randint(1, 20, (SAMPLES, PLACES), generator=torch.Generator().manual_seed(1))
    given = {"input_ids": ids, "attention_mask": batch(0.0)["attention_mask"]}
    longer = {name: nn.functional.pad(one, (0, 3)) for name, one in given.items()}
    model, other = made(Texts), made(Texts)
    with torch.no_grad():
        other.get_submodule("classes").weight.mul_(0.5)  # type: ignore[operator, union-attr]
    one, two = (
        score(other, amc.Unlabelled([inputs]).for_problem(model, inputs))
        for inputs in (given, longer)
    )
    assert one == pytest.approx(two, rel=1e-5)


def test_a_picture_as_high_as_it_is_long_has_time_in_its_last_axis() -> None:
    """Both axes have as many numbers as there are places, and convolutions take either shorter."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1))
    square = torch.randn(2, 1, 8, 8)
    found = axes_of_places(model, square, 8, {"1": model[1]})
    assert found == {"": (3,), "1": (3,)}


def test_a_network_of_one_length_is_gone_by_sizes() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(24, 3))
    assert axes_of_places(model, torch.randn(2, 4, 6), 6, {}) is None


def test_a_mask_is_read_at_the_nearest_place() -> None:
    real = torch.tensor([[True, True, False, False, False, False]])
    assert resampled(real, 3).tolist() == [[True, False, False]]
    assert resampled(real, 12).tolist() == [[True] * 4 + [False] * 8]
    assert resampled(real, 6) is real


@pytest.mark.parametrize(
    ("shape", "axis", "laid"),
    [
        ((2, 6, 3), 1, (2, 6, 3)),
        ((2, 3, 4, 6), 3, (2, 3, 4, 6)),
        ((6, 2, 3), 0, (2, 6, 3)),
        ((12, 3), 0, (2, 6, 3)),
        ((2, 3), 1, (2, 3)),
    ],
)
def test_numbers_are_laid_out_by_samples_and_back(
    shape: tuple[int, ...], axis: int, laid: tuple[int, ...]
) -> None:
    tensor: Any = torch.randn(shape)
    found = masked(torch.ones(2, 6, dtype=torch.bool), tensor, axis)
    assert found is not None
    assert found.numbers.shape == laid
    assert torch.equal(found.back(found.numbers), tensor)


def test_what_has_no_axis_of_samples_has_no_mask() -> None:
    assert masked(torch.ones(2, 6, dtype=torch.bool), torch.randn(5, 6), 1) is None
