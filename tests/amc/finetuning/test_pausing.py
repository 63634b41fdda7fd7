"""Training that is cut short anywhere and goes on, and training that was never cut short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from amc import Samples
from amc.finetuning import Recipe, fit
from amc.journal import Blank, Checkpoint

STEPS = 11  # Of 3 a pass.


class Kept(Blank):
    """A journal in memory."""

    def __init__(self) -> None:
        self.states: dict[str, Mapping[str, Tensor]] = {}

    def recall_state(self, name: str) -> Any:
        found = self.states.get(name)
        return found and {key: tensor.clone() for key, tensor in found.items()}

    def note_state(self, name: str, state: Mapping[str, Tensor]) -> None:
        self.states[name] = {key: tensor.detach().clone() for key, tensor in state.items()}


class StopError(Exception):
    """Ends a training that is under way."""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )


def striped(count: int) -> Samples:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(count, 1, 6, 6, generator=generator)
    return Samples(images, torch.randint(0, 3, (count,), generator=generator))


def trained(
    journal: Blank, recipe: Recipe, stop: int | None = None, holdout: Samples | None = None
) -> tuple[dict[str, Tensor], list[tuple[int, float]]]:
    told: list[tuple[int, float]] = []

    def on_step(done: int, total: int, loss: float) -> None:
        assert total == STEPS
        if stop is not None and done == stop:
            raise StopError
        told.append((done, loss))

    model, place = network(), Checkpoint(journal, "fine-tuning 0")
    fit(
        model,
        striped(50),
        recipe,
        steps=STEPS,
        holdout=holdout,
        on_step=on_step,
        checkpoint=place,
    )
    return model.state_dict(), told


RECIPES = {
    "plain": Recipe(lr=0.1, batch_size=16, shift=1, flip=True),
    "no momentum": Recipe(lr=0.1, batch_size=16, momentum=0),
    "adamw": Recipe(lr=0.01, batch_size=16, optimizer="adamw"),
    "stopping": Recipe(lr=0.5, batch_size=16, patience=2),
}


@pytest.mark.parametrize("name", RECIPES)
def test_wherever_it_is_cut_short_it_ends_the_same(name: str) -> None:
    recipe = RECIPES[name]
    holdout = striped(20) if recipe.patience else None
    whole, told = trained(Kept(), recipe, holdout=holdout)
    for stop in range(1, len(told) + 1):
        journal = Kept()
        for again in (stop, min(stop + 4, len(told))):
            with pytest.raises(StopError):
                trained(journal, recipe, again, holdout)
        weights, told_again = trained(journal, recipe, holdout=holdout)
        assert told_again == told
        assert all(torch.equal(weights[key], whole[key]) for key in whole)


def test_what_has_ended_is_not_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Kept()
    whole, told = trained(journal, RECIPES["plain"])
    monkeypatch.setattr(nn.Conv2d, "forward", None)  # Nothing is computed any more.
    weights, told_again = trained(journal, RECIPES["plain"])
    assert told_again == told
    assert all(torch.equal(weights[key], whole[key]) for key in whole)


def test_the_global_generator_is_left_alone() -> None:
    journal = Kept()
    with pytest.raises(StopError):
        trained(journal, RECIPES["plain"], 8)
    model, place = network(), Checkpoint(journal, "fine-tuning 0")
    before = torch.random.get_rng_state()
    fit(model, striped(50), RECIPES["plain"], steps=STEPS, checkpoint=place)
    assert torch.equal(torch.random.get_rng_state(), before)
