"""Recipes: their ranges, their steps and their rate."""

import math

import pytest
from torch import nn

from amc.finetuning.recipes import Recipe, Suited


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
        ("optimizer", "adam", "one of sgd, adamw"),
        ("momentum", 1.0, "from 0 to below 1"),
        ("momentum", -0.1, "from 0 to below 1"),
        ("weight_decay", -1e-4, "0 or more"),
        ("warmup", 1.1, "from 0 to 1"),
        ("warmup", -0.1, "from 0 to 1"),
        ("label_smoothing", 1.0, "from 0 to below 1"),
        ("shift", -1, "0 or more pixels"),
        ("distill", -0.1, "from 0 to 1"),
        ("distill", 1.1, "from 0 to 1"),
        ("distill", math.nan, "from 0 to 1"),
        ("temperature", 0, "more than 0"),
        ("temperature", math.inf, "more than 0"),
        ("patience", -1, "0 or more checks"),
        ("gamma_l1", -1e-4, "0 or more"),
        ("gamma_l1", math.nan, "0 or more"),
        ("gamma_l2", -1e-4, "0 or more"),
        ("gamma_l2", math.inf, "0 or more"),
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
    recipe = Recipe()
    rates = [recipe.rate(step, 100, 0.1) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.05)
    assert 0 < rates[99] < 0.1 * 1e-3
    assert rates == sorted(rates, reverse=True)


def test_the_rate_rises_linearly_first_with_a_warm_up() -> None:
    recipe = Recipe(warmup=0.1)
    rates = [recipe.rate(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.01 * step for step in range(1, 11)])
    assert rates[10] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(0.1)
    assert rates[99] < 0.1 * 1e-3


@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_short_schedules_have_a_rate_for_every_step(total: int, warmup: float) -> None:
    rates = [Recipe(warmup=warmup).rate(step, total, 0.1) for step in range(total)]
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)


def test_what_a_recipe_leaves_open_suits_the_network() -> None:
    """Plain steps where batch norms hold them; a given rate is one of plain steps, as ever."""
    normed, plain = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), nn.Linear(2, 2)
    assert Recipe().suited(normed) == Suited("sgd", pytest.approx(0.01), 5e-4)
    assert Recipe().suited(plain) == Suited("adamw", pytest.approx(1e-4), 0.05)
    assert Recipe(lr=0.2).suited(plain) == Suited("sgd", 0.2, 5e-4)
    told = Recipe(optimizer="sgd", weight_decay=0.1)
    assert told.suited(plain) == Suited("sgd", pytest.approx(0.01), 0.1)
