"""Early stopping: when checks are due, when it is enough, and that the best weights come back."""

import copy

import pytest
import torch
from tiny_networks import samples, tiny
from torch import Tensor, nn

from amc.finetuning import Recipe, fit
from amc.finetuning.stopping import BestWeights, check_interval
from amc.tasks import Classification, Samples
from experiments.studies.accuracies import accuracy


def test_there_is_a_check_every_epoch_and_ten_at_least() -> None:
    assert check_interval(total=1000, per_epoch=50) == 50
    assert check_interval(total=200, per_epoch=100) == 20
    assert check_interval(total=3, per_epoch=100) == 1


class Constant(nn.Module):
    """Answers class 1 where its parameter is above 0, else class 0."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([-self.bias, self.bias]).expand(len(inputs), 2)


# Three of four are of class 1: an accuracy of 0.25 or 0.75.
MOSTLY_ONES = Samples(torch.zeros(4, 1), torch.tensor([1, 1, 1, 0]))


def checked(values: list[float], patience: int) -> tuple[list[bool], float]:
    """What each check says as the parameter takes these values, and the one restored."""
    model = Constant()
    best = BestWeights(model, Classification(None, MOSTLY_ONES), patience)
    said = []
    for value in values:
        model.bias.data.fill_(value)
        said.append(best.check())
    best.restore()
    return said, model.bias.item()


def test_the_first_of_equally_good_weights_come_back() -> None:
    assert checked([1, 2, -2], patience=5) == ([False, False, False], 1.0)


def test_the_weights_at_the_start_come_back_where_nothing_was_better() -> None:
    assert checked([-2, -3], patience=2) == ([False, True], -1.0)


def test_a_better_check_starts_the_waiting_again() -> None:
    assert checked([-2, 1, 2, 3], patience=2)[0] == [False, False, False, True]


def test_no_patience_never_has_enough() -> None:
    assert not any(checked([-2] * 20, patience=0)[0])


def learned() -> tuple[nn.Module, Samples]:
    """A network with samples that it classifies perfectly."""
    model, data = tiny("perceptron"), samples(60)
    with torch.no_grad():
        return model, Samples(data.inputs, model(data.inputs).argmax(1))


def test_training_that_only_harms_ends_early_with_the_weights_it_began_with() -> None:
    model, data = learned()
    before, steps = copy.deepcopy(model.state_dict()), []
    wrong = Samples(data.inputs, (data.labels + 1) % 4)
    recipe = Recipe(epochs=20, lr=0.1, batch_size=20, patience=3)
    fit(model, wrong, recipe, holdout=data, on_step=lambda done, *_: steps.append(done))
    assert steps[-1] == 3 * 3, "3 checks, one for each epoch of 3 steps"
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert not model.training


def test_without_patience_it_runs_to_the_end_and_the_best_weights_still_come_back() -> None:
    model, data = learned()
    wrong, steps = Samples(data.inputs, (data.labels + 1) % 4), []
    recipe = Recipe(epochs=4, lr=0.1, batch_size=20)
    fit(model, wrong, recipe, holdout=data, on_step=lambda done, *_: steps.append(done))
    assert steps[-1] == 12
    assert accuracy(model, data) == 1.0


def test_training_that_helps_goes_on_and_ends_at_its_best() -> None:
    model, (_, data) = tiny("perceptron", seed=5), learned()
    train, holdout = data.split(40, seed=0)
    seen = []
    recipe = Recipe(epochs=30, lr=0.1, batch_size=20, patience=8)

    def watch(done: int, total: int, loss: float) -> None:
        seen.append(accuracy(model, holdout))

    before = accuracy(model, holdout)
    fit(model, train, recipe, holdout=holdout, on_step=watch)
    assert accuracy(model, holdout) >= max([before, *seen[1::2]]) - 1e-9
    assert accuracy(model, holdout) > before


def test_the_last_step_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch has 3 steps here; of 35 steps every third is checked, and the last."""
    checks: list[int] = []
    done = 0

    def watch(step: int, total: int, loss: float) -> None:
        nonlocal done
        done = step

    monkeypatch.setattr(BestWeights, "check", lambda self: checks.append(done))
    holdout = samples(4, seed=1)
    monkeypatch.setattr(BestWeights, "restore", lambda self: None)
    recipe = Recipe(batch_size=2)
    fit(tiny("perceptron"), samples(6), recipe, steps=35, holdout=holdout, on_step=watch)
    assert checks == [0, *range(3, 35, 3), 35]


def test_patience_needs_held_out_samples() -> None:
    with pytest.raises(ValueError, match="patience is 2, but nothing is held out to check on"):
        fit(tiny("perceptron"), samples(8), Recipe(patience=2))


def test_norms_train_on_their_own_batches_between_the_checks() -> None:
    """A check leaves the network in training mode, so that running statistics go on moving."""
    model, data = tiny("residual"), samples(32)
    plain = fit(copy.deepcopy(model), data, Recipe(batch_size=16), steps=4).state_dict()
    ended: dict[str, Tensor] = {}

    def watch(done: int, total: int, loss: float) -> None:
        ended.update({name: item.clone() for name, item in model.state_dict().items()})

    fit(model, data, Recipe(batch_size=16), steps=4, holdout=data, on_step=watch)
    assert all(torch.equal(ended[name], plain[name]) for name in plain)
