"""Functions of the user's own: what they are given, and what is said of those that are wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from task_cases import IMAGES, pooled, whole
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.finetuning import fit
from amc.tasks import Task, TaskError

BUDGET = [amc.Budget.parse("macs=0.6")]
LABELS = whole(4, 24)
BATCHES = [(IMAGES[:12], LABELS[:12]), (IMAGES[12:], LABELS[12:])]


def problem(task: Task, **options: Any) -> amc.Problem:
    return amc.Problem(pooled(4), IMAGES[:1], BUDGET, task, **options)


def right(model: nn.Module) -> float:
    return float((model(IMAGES).argmax(1) == LABELS).float().mean())


def halved(made: amc.Problem) -> list[int]:
    return [max(1, units // 2) for units in made.graph.full]


def test_a_score_function_gets_the_network_that_would_be_handed_over() -> None:
    seen: list[nn.Module] = []

    def score(model: nn.Module) -> float:
        assert not model.training
        assert not torch.is_grad_enabled()
        seen.append(model)
        return right(model)

    made = problem(amc.Task(score))
    outcome = made.evaluate(halved(made))
    names = [name for name, _ in pooled(4).named_modules()]
    assert [name for name, _ in seen[-1].named_modules()] == names
    network = made.network(halved(made))
    assert torch.equal(network(IMAGES), seen[-1](IMAGES))
    assert outcome.score == right(network)


def test_what_a_score_function_does_to_a_network_stays_there() -> None:
    def score(model: nn.Module) -> float:
        found = right(model)
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
        return found

    model = pooled(4)
    before = right(model)
    made = amc.Problem(model, IMAGES[:1], BUDGET, amc.Task(score))
    first = made.evaluate(halved(made)).score
    made.restart()
    assert made.evaluate(halved(made)).score == first
    assert right(model) == before


def nothing(model: nn.Module) -> None:
    return None


def several(model: nn.Module) -> Tensor:
    return torch.ones(3)


def not_a_number(model: nn.Module) -> float:
    return math.nan


def failing(model: nn.Module) -> float:
    raise KeyError("boxes")


class Random:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: nn.Module) -> float:
        self.calls += 1
        return 0.5 + 0.1 * self.calls


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (nothing, "score_func gave a NoneType; return one number"),
        (several, r"score_func gave a Tensor of shape \(3,\); return one number"),
        (not_a_number, "score_func gave nan; return a finite number"),
        (failing, r"score_func fails on a network \(KeyError: 'boxes'\)"),
        (Random(), "gave 0.6 and then 0.7 for one network.*seed what is random in it"),
    ],
)
def test_a_wrong_score_is_told_before_any_search(score: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        problem(amc.Task(score))


def test_a_score_out_of_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mAP: score_func gave 37, which is not from 0 to 1"):
        problem(amc.Task(lambda model: 37.0, amc.Score("mAP", bounds=(0, 1))))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: amc.Task(), "there is no score; give score_func"),
        (lambda: amc.Task(0.5), "score_func is a float; give a function"),  # type: ignore[arg-type]
        (lambda: amc.Task(right, "mAP"), "score is 'mAP'; give amc.Score"),  # type: ignore[arg-type]
        (lambda: amc.Score("s", bounds=(1, 0)), "give the lowest and the highest"),
    ],
)
def test_a_task_without_its_parts_is_refused(made: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made()


def test_a_score_that_tells_nothing_is_warned_of_after_ten_candidates(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = problem(amc.Task(lambda model: 0.5))
    for count in range(1, 10):
        made.evaluate((count, 5))
    assert not caplog.messages
    made.evaluate((10, 5))
    made.evaluate((11, 5))
    (told,) = caplog.messages
    assert "the first 10 candidates all have score 0.5" in told


class Breaking:
    """Data whose second batch cannot be read, but for the first look."""

    def __init__(self) -> None:
        self.looks = 0

    def __iter__(self) -> Iterator[Any]:
        self.looks += 1
        yield BATCHES[0]
        if self.looks > 2:
            raise OSError("the disk is gone")
        yield BATCHES[1]


def broken(*given: Any) -> Any:
    raise KeyError("pixels")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            lambda: amc.Classification(BATCHES, BATCHES, collect_func=broken),
            r"collect_func fails on a batch \(KeyError: 'pixels'\)",
        ),
        (
            lambda: amc.Unlabelled(IMAGES, mask_func=broken),
            r"mask_func fails on a batch \(KeyError: 'pixels'\)",
        ),
        (
            lambda: amc.Unlabelled(IMAGES, mask_func=lambda batch: 1),
            r"mask_func gave a int; return \(samples, places\)",
        ),
        (
            lambda: amc.Classification(None, [(IMAGES[:, :2], LABELS)]),
            r"the network fails on inputs \(8, 2, .*say what goes into it with collect_func",
        ),
        (
            lambda: amc.MultiLabel(None, [(IMAGES, torch.full((24, 4), 255))]),
            "labels go from 255 to 255; give a 0 or 1",
        ),
        (lambda: None, "a NoneType is no task; give amc.Task"),
        (lambda: right, "a function is no task"),
    ],
)
def test_what_fails_says_whose_it_was(task: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        problem(task())


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"loss_func": broken}, r"loss_func fails on outputs and a batch \(KeyError"),
        ({"distill_func": broken}, r"distill_func fails on outputs and a teacher's \(KeyError"),
        ({"distill_func": lambda *given: 0.5}, "distill_func gave a float; return the mean loss"),
    ],
)
def test_what_fails_in_training_says_whose_it_was(parts: Any, said: str) -> None:
    task = amc.Classification(BATCHES, BATCHES, **parts)
    recipe = amc.Recipe(batch_size=8, distill=0.5)
    with pytest.raises(TaskError, match=said):
        fit(pooled(4), task.for_problem(pooled(4), IMAGES[:1]), recipe, steps=1, teacher=pooled(4))


def test_data_that_fail_say_so_before_anything_is_searched() -> None:
    with pytest.raises(TaskError, match=r"a loader fails on its next batch \(OSError: the disk"):
        problem(amc.Classification(None, Breaking()))


def test_a_loss_that_is_no_number_ranks_nothing() -> None:
    task = amc.Classification(BATCHES, BATCHES, loss_func=lambda out, batch: out.mean() * math.nan)
    with pytest.raises(TaskError, match="the loss of a sample is nan"):
        problem(task, criterion="taylor")


def test_labels_are_smoothed_where_they_are_classes_alone() -> None:
    task = amc.Regression([(IMAGES, torch.zeros(24, 4))], [(IMAGES, torch.zeros(24, 4))])
    with pytest.raises(ValueError, match=r"label_smoothing is 0.1, .* leave it at 0"):
        fit(pooled(4), task, amc.Recipe(label_smoothing=0.1), steps=1)


def test_a_ready_made_task_takes_parts_of_the_users_own() -> None:
    seen: list[int] = []
    task = amc.Classification(
        BATCHES, BATCHES, tune=lambda network, steps: seen.append(steps), loss_func=loss
    )
    found = amc.search(pooled(4), IMAGES[:1], task, budget=BUDGET, strategy="netadapt")
    assert seen
    assert found.score == pytest.approx(right(found.network))


def loss(outputs: Tensor, batch: Any) -> Tensor:
    return F.cross_entropy(outputs, batch[1])


def full_task(**parts: Any) -> Task:
    return amc.Task(right, **{"data_loader": BATCHES, "train_loader": BATCHES} | parts)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda outputs, batch: loss(outputs.detach(), batch), "the loss has no gradient"),
        (lambda outputs, batch: F.cross_entropy(outputs, batch[1], reduction="none"), "mean loss"),
        (lambda outputs, batch: 3.0, "loss_func gave a float"),
    ],
)
def test_a_loss_that_cannot_be_learned_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        amc.fit(pooled(4), full_task(loss_func=wrong), amc.Recipe(), steps=1)


def test_a_criterion_with_gradients_asks_for_the_loss_by_name() -> None:
    with pytest.raises(ValueError, match=r"takes gradients of a loss.*give loss_func"):
        problem(full_task(), criterion="taylor")
    made = problem(full_task(loss_func=loss), criterion="taylor")
    assert made.evaluate(halved(made)).score == right(made.network(halved(made)))


def test_training_of_ones_own_takes_the_place_of_ours_in_netadapt_too() -> None:
    steps: list[int] = []

    def tune(network: nn.Module, count: int) -> None:
        steps.append(count)
        optimiser = torch.optim.AdamW(network.parameters(), 0.01)
        for _ in range(count):
            optimiser.zero_grad()
            F.cross_entropy(network(IMAGES), LABELS).backward()
            optimiser.step()

    found = amc.search(
        pooled(4), IMAGES[:1], full_task(tune=tune), budget="macs=0.7", strategy="netadapt"
    )
    assert set(steps) == {10}
    assert found.score == right(found.network)
    uniform = amc.search(pooled(4), IMAGES[:1], full_task(), budget="macs=0.7", strategy="uniform")
    assert found.score > uniform.score


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        (lambda network, steps: 3, "tune gave a int; return the trained network"),
        (lambda network, steps: pooled(4), "a network of other tensors than it was given"),
        (lambda network, steps: 1 / 0, r"tune fails on a pruned network \(ZeroDivisionError"),
    ],
)
def test_training_that_gives_something_else_is_refused(tune: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        amc.search(
            pooled(4), IMAGES[:1], full_task(tune=tune), budget="macs=0.7", strategy="netadapt"
        )
