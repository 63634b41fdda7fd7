"""Training: that it learns, is the same for the same seed, and leaves alone what it should."""

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import samples, tiny
from torch import Tensor, nn

from amc.devices import bfloat16_is_fast
from amc.evaluation import accuracy
from amc.finetuning import Recipe, fit
from amc.samples import Samples
from experiments.zoo.digits import digits
from experiments.zoo.models import build_model


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
