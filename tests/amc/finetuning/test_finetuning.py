"""Training: that it learns, is the same for the same seed, and leaves alone what it should."""

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import images, samples, tiny
from torch import Tensor, nn
from torch.nn.utils import parametrize

from amc.devices import bfloat16_is_fast
from amc.finetuning import Recipe, fit, fitting
from amc.tasks.samples import Samples
from experiments.studies.accuracies import accuracy
from experiments.zoo.models import build_model
from experiments.zoo.uci_digits import digits


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


def test_batch_norms_whose_statistics_never_move_are_trained_as_they_are_used() -> None:
    data = Samples(torch.randn(16, 3) * 5 + 2, torch.arange(16) % 2)
    frozen = nn.BatchNorm1d(3, momentum=0)
    frozen.running_mean, frozen.running_var = torch.ones(3), torch.full((3,), 4.0)
    model = nn.Sequential(frozen, nn.Linear(3, 2)).eval()
    used = nn.functional.cross_entropy(model(data.array), data.labels).item()
    told: list[float] = []
    fit(model, data, Recipe(batch_size=16), steps=1, on_step=lambda _a, _b, loss: told.append(loss))
    assert told == pytest.approx([used], rel=0.02)
    assert torch.equal(frozen.running_mean, torch.ones(3))


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


def slimmed(**penalty: float) -> dict[str, Tensor]:
    """State of a network of constant input, where only its penalty moves a scale."""
    model = tiny("residual")
    still = Samples(torch.zeros(16, 3, 8, 8), torch.randint(4, (16,)))
    recipe = Recipe(lr=0.1, momentum=0, weight_decay=0, batch_size=16, **penalty)
    return fit(model, still, recipe, steps=1).state_dict()


def test_a_penalty_moves_each_scale_by_its_subgradient() -> None:
    """Images of zeros give every channel no variance, so that the loss does not read the scale."""
    before = tiny("residual").norm1.weight.detach()
    assert (before > 0).all()
    torch.testing.assert_close(slimmed()["norm1.weight"], before)
    torch.testing.assert_close(slimmed(gamma_l1=0.5)["norm1.weight"], before - 0.1 * 0.5)
    torch.testing.assert_close(slimmed(gamma_l2=0.5)["norm1.weight"], before * (1 - 0.1 * 0.5))


def test_an_l1_penalty_brings_scales_near_zero_and_an_l2_penalty_shrinks_all() -> None:
    scales = {}
    for name, penalty in (("none", {}), ("l1", {"gamma_l1": 0.05}), ("l2", {"gamma_l2": 0.05})):
        model = tiny("residual")
        fit(model, samples(64), Recipe(epochs=30, lr=0.1, batch_size=32, **penalty))
        norms = [m.weight for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        scales[name] = torch.cat(norms).detach().abs()
    near = {name: int((found < 0.02).sum()) for name, found in scales.items()}
    assert near["l1"] >= 5 > near["none"]
    assert near["l1"] > near["l2"]
    assert scales["l2"].mean() < scales["none"].mean()


def test_the_penalty_needs_batch_norms() -> None:
    with pytest.raises(ValueError, match="gamma_l1 and gamma_l2 penalise the scales of batch"):
        fit(tiny("perceptron"), samples(8), Recipe(gamma_l1=1e-4))


class Half(nn.Module):
    """Holds every second row of a weight at zero."""

    def forward(self, weight: Tensor) -> Tensor:
        keep = torch.arange(len(weight)) % 2 == 0
        return weight * keep.view(-1, *(1,) * (weight.dim() - 1))


def test_reparametrised_weights_are_trained_and_decay_like_others() -> None:
    model = tiny("residual")
    parametrize.register_parametrization(model.conv2, "weight", Half())
    parametrize.register_parametrization(model.norm2, "weight", Half())
    before = copy.deepcopy(dict(model.named_parameters()))
    recipe = Recipe(lr=0.1, momentum=0, weight_decay=0.5, gamma_l1=0.5, batch_size=16)
    fit(model, samples(16), recipe, steps=1)
    after = dict(model.named_parameters())
    kernel, scale = (f"{name}.parametrizations.weight.original" for name in ("conv2", "norm2"))
    # What is held at zero has no gradient of the loss: decay and penalty alone move it.
    torch.testing.assert_close(after[kernel][1::2], before[kernel][1::2] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(after[scale][1::2], before[scale][1::2] - 0.1 * 0.5)
    assert not torch.equal(after[kernel][0], before[kernel][0] * (1 - 0.1 * 0.5))
    assert not model.conv2.weight[1::2].any()


def test_reparametrised_kernels_train_as_plain_ones() -> None:
    """In channels last as well: the same weights, up to rounding, as without."""
    plain, held = tiny("residual"), tiny("residual")
    parametrize.register_parametrization(held.conv2, "weight", nn.Identity())
    for model in (plain, held):
        fit(model, samples(32), Recipe(lr=0.05, batch_size=16), steps=4)
    torch.testing.assert_close(held.conv2.weight, plain.conv2.weight, atol=1e-3, rtol=1e-3)


class Volumes(nn.Module):
    """Reads images as one slice of a volume."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, (1, 3, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images[:, :, None]).mean((2, 3, 4))


OTHERS = {
    "tokens": (
        lambda: nn.Sequential(nn.Embedding(9, 8), nn.Flatten(), nn.Linear(40, 4)),
        torch.randint(9, (64, 5), generator=torch.Generator().manual_seed(0)),
    ),
    "signals": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(20, 4)),
        torch.randn(64, 2, 7, generator=torch.Generator().manual_seed(0)),
    ),
    "volumes": (
        lambda: nn.Sequential(nn.Conv3d(1, 4, 2), nn.Flatten(), nn.Linear(32, 4)),
        torch.randn(64, 1, 3, 3, 3, generator=torch.Generator().manual_seed(0)),
    ),
    "images as volumes": (Volumes, images(64)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_networks_of_other_inputs_learn(kind: str) -> None:
    build, inputs = OTHERS[kind]
    torch.manual_seed(0)
    model, teacher = build(), build()
    data = Samples(inputs, torch.arange(64) % 4)
    recipe = Recipe(epochs=30, lr=0.05, batch_size=32, shift=1, distill=0.1, patience=50)
    losses: list[float] = []
    fit(
        model,
        data,
        recipe,
        holdout=data,
        teacher=teacher,
        on_step=lambda done, total, loss: losses.append(loss),
    )
    assert sum(losses[-4:]) < sum(losses[:4])


def test_bfloat16_is_used_where_it_is_fast_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    for fast in (True, False):
        monkeypatch.setattr(fitting, "trains_in_half", lambda model, fast=fast: fast)
        model = tiny("perceptron")
        model[1].register_forward_hook(lambda _, __, output: seen.append(output.dtype))
        fit(model, samples(8), Recipe(), steps=1)
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert seen == [torch.bfloat16, torch.float32]
