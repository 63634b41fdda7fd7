"""Training: the recipe, its schedule, its augmentation, and that it learns."""

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import images, samples, tiny
from torch import Tensor, nn

from amc.devices import bfloat16_is_fast
from amc.evaluation import accuracy
from amc.finetuning import Recipe, _augmented, _flip, _shift, fit
from amc.samples import Samples
from experiments.zoo.digits import digits
from experiments.zoo.models import build_model


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("epochs", -1, "0 or more"),
        ("epochs", math.inf, "0 or more"),
        ("epochs", math.nan, "0 or more"),
        ("lr", 0, "more than 0"),
        ("lr", -0.1, "more than 0"),
        ("lr", math.inf, "more than 0"),
        ("batch_size", 0, "1 or more"),
        ("momentum", 1.0, "from 0 to below 1"),
        ("momentum", -0.1, "from 0 to below 1"),
        ("weight_decay", -1e-4, "0 or more"),
        ("warmup", 1.1, "from 0 to 1"),
        ("warmup", -0.1, "from 0 to 1"),
        ("label_smoothing", 1.0, "from 0 to below 1"),
        ("shift", -1, "0 or more pixels"),
    ],
)
def test_a_recipe_out_of_range_is_refused(field: str, value: float, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"recipe: {field} is {value}; it must be {wanted}"):
        Recipe(**{field: value})


def test_steps_are_epochs_of_whole_batches() -> None:
    recipe = Recipe(epochs=2, batch_size=32)
    assert recipe.steps(100) == 6
    assert recipe.steps(32) == 2
    assert Recipe(epochs=0.5, batch_size=32).steps(320) == 5


def test_a_little_training_is_at_least_one_step() -> None:
    assert Recipe(epochs=1, batch_size=128).steps(5) == 1
    assert Recipe(epochs=0.001, batch_size=128).steps(1000) == 1
    assert Recipe(epochs=0).steps(1000) == 0


def test_the_rate_falls_from_its_peak_to_nearly_nothing() -> None:
    recipe = Recipe(lr=0.1)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.05)
    assert 0 < rates[99] < 0.1 * 1e-3
    assert rates == sorted(rates, reverse=True)


def test_the_rate_rises_linearly_first_with_a_warm_up() -> None:
    recipe = Recipe(lr=0.1, warmup=0.1)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.01 * step for step in range(1, 11)])
    assert rates[10] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(0.1)
    assert rates[99] < 0.1 * 1e-3


@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_short_schedules_have_a_rate_for_every_step(total: int, warmup: float) -> None:
    rates = [Recipe(lr=0.1, warmup=warmup).rate(step, total) for step in range(total)]
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)


def test_a_network_learns_digits() -> None:
    data = digits()
    torch.manual_seed(0)
    model = build_model("resnet8", in_channels=1, classes=10, width=0.25)
    before = accuracy(model, data.test)
    fit(model, data.train, Recipe(epochs=3, lr=0.1, batch_size=32, warmup=0.1, shift=1))
    assert before < 0.3
    assert accuracy(model, data.test) > 0.75


def states(*recipes: Recipe, **options: Any) -> list[dict[str, Tensor]]:
    """Weights of one network after each of the recipes."""
    found = []
    for recipe in recipes:
        model = nn.Sequential(*tiny("depthwise"), nn.Dropout(0.2))
        found.append(fit(model, samples(60), recipe, **options).state_dict())
    return found


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[key]) for key, tensor in one.items())


def test_the_same_seed_gives_the_same_weights() -> None:
    recipe = Recipe(epochs=3, batch_size=16, shift=2, flip=True, seed=1)
    torch.manual_seed(5)
    first = states(recipe)[0]
    torch.manual_seed(6)
    second, other = states(recipe, Recipe(epochs=3, batch_size=16, shift=2, flip=True, seed=2))
    assert equal(first, second)
    assert not equal(first, other)


@pytest.mark.parametrize(
    "change",
    [
        *({"lr": 0.02}, {"momentum": 0.5}, {"weight_decay": 0.1}, {"warmup": 0.5}),
        *({"label_smoothing": 0.2}, {"shift": 2}, {"flip": True}, {"batch_size": 8}),
    ],
    ids=str,
)
def test_every_setting_of_the_recipe_counts(change: dict[str, Any]) -> None:
    plain = {"batch_size": 16}
    one, other = states(Recipe(**plain), Recipe(**{**plain, **change}), steps=4)
    assert not equal(one, other)


def test_zero_steps_change_nothing() -> None:
    model = tiny("residual").train()
    before = copy.deepcopy(model.state_dict())
    assert fit(model, samples(20), Recipe(epochs=0)) is model
    assert equal(model.state_dict(), before)
    assert not model.training


def test_given_steps_override_the_epochs_and_each_is_reported() -> None:
    seen: list[tuple[int, int, float]] = []
    recipe = Recipe(epochs=100, batch_size=8)
    fit(tiny("residual"), samples(20), recipe, steps=3, on_step=lambda *step: seen.append(step))
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert all(math.isfinite(loss) for _, _, loss in seen)


def test_frozen_parameters_stay() -> None:
    model = tiny("residual")
    model.conv2.weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    fit(model, samples(40), Recipe(lr=0.1), steps=3)
    assert torch.equal(model.conv2.weight, before["conv2.weight"])
    assert not torch.equal(model.conv1.weight, before["conv1.weight"])


def test_decay_is_for_kernels_and_not_for_biases_and_norms() -> None:
    model = tiny("residual")
    before = copy.deepcopy(model.state_dict())
    still = Samples(torch.zeros(16, 3, 8, 8), torch.randint(4, (16,)))
    # Images of zeros give the first kernel no gradient: what changes it is the decay alone.
    fit(model, still, Recipe(lr=0.1, momentum=0, weight_decay=0.5, batch_size=16), steps=1)
    torch.testing.assert_close(model.conv1.weight, before["conv1.weight"] * (1 - 0.1 * 0.5))
    one, other = states(Recipe(weight_decay=0), Recipe(weight_decay=0.5), steps=1)
    assert torch.equal(one["1.weight"], other["1.weight"])
    assert torch.equal(one["10.bias"], other["10.bias"])
    assert not torch.equal(one["10.weight"], other["10.weight"])


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    model = tiny("residual")
    model.linear.weight.data[0, 0] = math.nan
    before = copy.deepcopy(dict(model.named_parameters()))
    with pytest.raises(FloatingPointError) as raised:
        fit(model, samples(20), Recipe(lr=0.25), steps=5)
    assert str(raised.value) == (
        "training: the loss became nan at step 1 of 5; "
        "lower the learning rate (now 0.25) or check the inputs"
    )
    assert torch.equal(model.conv1.weight, before["conv1.weight"])


def test_a_rate_far_too_high_is_noticed() -> None:
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fit(tiny("perceptron"), samples(40), Recipe(lr=1e30), steps=20)


def test_the_global_random_states_are_left_alone() -> None:
    model = tiny("residual")
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    fit(model, samples(30), Recipe(batch_size=8, shift=1, flip=True), steps=4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_inputs_need_not_be_images() -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    data = Samples(points, (points.sum(1) > 0).long())
    fit(net, data, Recipe(epochs=20, lr=0.1, batch_size=32, shift=2, flip=True))
    assert accuracy(net, data) > 0.9


def test_a_pass_shows_every_sample_once() -> None:
    data = Samples(torch.arange(12.0)[:, None], torch.arange(12))
    batches = list(_augmented(data, Recipe(batch_size=4), steps=6))
    passes = [torch.cat([labels for _, labels in part]) for part in (batches[:3], batches[3:])]
    assert all(sorted(labels.tolist()) == list(range(12)) for labels in passes)
    assert not torch.equal(*passes)
    assert all(torch.equal(inputs.flatten(), labels.float()) for inputs, labels in batches)


def test_the_training_samples_are_not_changed() -> None:
    data = samples(20)
    before = data.inputs.clone()
    list(_augmented(data, Recipe(batch_size=8, shift=2, flip=True), steps=5))
    assert torch.equal(data.inputs, before)


@pytest.mark.parametrize("most", [1, 2, 8])
def test_a_shifted_image_is_a_crop_of_the_padded_one(most: int) -> None:
    originals = images(40)
    moved = _shift(originals, most)
    assert moved.shape == originals.shape
    padded = np.pad(originals.numpy(), ((0, 0), (0, 0), (most, most), (most, most)), mode="edge")
    places = range(2 * most + 1)
    seen = set()
    for image, around in zip(moved.numpy(), padded, strict=True):
        crops = {(y, x): around[:, y : y + 8, x : x + 8] for y in places for x in places}
        here = [place for place, crop in crops.items() if np.array_equal(crop, image)]
        # Beyond the image all crops are alike: there may be several.
        assert here
        seen.add(here[0])
    assert len(seen) > len(places) / 2


def test_no_shift_is_the_image_itself() -> None:
    assert torch.equal(_shift(images(3), 0), images(3))


def test_a_flipped_image_is_its_mirror_image_about_half_of_the_time() -> None:
    originals = images(400)
    found = _flip(originals)
    same = (found == originals).flatten(1).all(1)
    mirrored = (found == originals.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 120 < int(mirrored.sum()) < 280


@pytest.mark.parametrize("channels", [1, 3])
def test_few_channels_before_a_strided_shortcut_train_as_in_double_precision(channels: int) -> None:
    """With channels last, oneDNN would corrupt memory here; a single channel is either layout."""
    model = build_model("resnet8", in_channels=channels, classes=4, width=0.25)
    reference = copy.deepcopy(model).double()
    data = samples(64).inputs[:, :channels], samples(64).labels
    recipe = Recipe(lr=0.05, batch_size=64, shift=1)
    fit(model, Samples(*data), recipe, steps=3)
    fit(reference, Samples(data[0].double(), data[1]), recipe, steps=3)
    room = 0.05 if bfloat16_is_fast() else 1e-3
    for key, tensor in reference.state_dict().items():
        found = model.state_dict()[key].double()
        torch.testing.assert_close(found, tensor.double(), atol=room, rtol=room)
