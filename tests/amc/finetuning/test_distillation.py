"""Distillation: its loss by hand, and that a network learns from another one."""

import copy
import math

import pytest
import torch
from tiny_networks import samples, tiny
from torch.nn import functional as F

from amc.finetuning import Recipe, fit
from amc.tasks import distillation_loss
from amc.tasks.samples import Samples


def test_the_loss_is_the_divergence_of_the_softened_answers_times_the_squared_temperature() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At temperature 2 the teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    found = distillation_loss(student, teacher, 2.0)
    assert found.item() == pytest.approx(4 * divergence, rel=1e-6)


def test_it_is_averaged_over_samples_and_zero_where_both_agree() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert distillation_loss(logits + 7, logits, 3.0).item() == pytest.approx(0, abs=1e-5)
    other = logits.flip(1)
    each = [distillation_loss(other[i : i + 1], logits[i : i + 1], 3.0).item() for i in range(5)]
    assert distillation_loss(other, logits, 3.0).item() == pytest.approx(sum(each) / 5, rel=1e-5)


def test_at_a_high_temperature_its_gradient_is_that_of_matching_centred_logits() -> None:
    """Hinton et al., equation 4: (z - v) / classes, for logits of mean zero."""
    teacher = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    student = torch.tensor([[0.5, 0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(distillation_loss(student, teacher, 1e4), student)
    torch.testing.assert_close(gradient, (student - teacher).detach() / 3, atol=1e-3, rtol=1e-3)


def test_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the teacher answers \(2, 3\) .* \(2, 4\); take a"):
        distillation_loss(torch.zeros(2, 4), torch.zeros(2, 3), 1.0)


def divergence(student: torch.nn.Module, teacher: torch.nn.Module, data: Samples) -> float:
    with torch.no_grad():
        return distillation_loss(student(data.inputs), teacher(data.inputs), 1.0).item()


def test_a_network_comes_closer_to_its_teacher_than_labels_of_chance_bring_it() -> None:
    teacher, data = tiny("residual", seed=3), samples(96)
    found = []
    for weight in (0.0, 1.0):
        student = tiny("residual")
        recipe = Recipe(epochs=15, lr=0.02, batch_size=32, distill=weight, temperature=2)
        fit(student, data, recipe, teacher=teacher)
        found.append(divergence(student, teacher, data))
    assert found[1] < 0.5 * found[0]


def test_the_weight_mixes_both_losses() -> None:
    data, losses = samples(16), {}
    teacher, student = tiny("perceptron", seed=3), tiny("perceptron")
    for weight in (0.0, 0.25, 1.0):
        fit(
            copy.deepcopy(student),
            data,
            Recipe(batch_size=16, distill=weight, temperature=2),
            steps=1,
            teacher=teacher,
            on_step=lambda _, __, loss, weight=weight: losses.update({weight: loss}),
        )
    assert losses[0.25] == pytest.approx(0.75 * losses[0.0] + 0.25 * losses[1.0], rel=1e-5)
    with torch.no_grad():
        labels = F.cross_entropy(student(data.inputs), data.labels).item()
        answers = distillation_loss(student(data.inputs), teacher(data.inputs), 2.0).item()
    # Where bfloat16 is fast, training uses it.
    assert losses[0.0] == pytest.approx(labels, rel=0.03)
    assert losses[1.0] == pytest.approx(answers, rel=0.03)


def test_the_teacher_answers_as_in_evaluation_and_is_left_as_it_was() -> None:
    teacher = torch.nn.Sequential(*tiny("depthwise"), torch.nn.Dropout(0.5)).train()
    before = copy.deepcopy(teacher.state_dict())
    recipe = Recipe(batch_size=8, distill=0.5)
    once, again = (
        fit(tiny("depthwise"), samples(16), recipe, steps=2, teacher=taught).state_dict()
        for taught in (teacher, copy.deepcopy(teacher).eval())
    )
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert all(torch.equal(teacher.state_dict()[name], before[name]) for name in before)
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(module.training for module in teacher.modules())


def test_a_teacher_must_be_there_and_be_another_network() -> None:
    model = tiny("perceptron")
    with pytest.raises(ValueError, match=r"distill is 0.5, but there is no network to learn from"):
        fit(model, samples(8), Recipe(distill=0.5))
    with pytest.raises(ValueError, match="the teacher is the network itself; give it a copy"):
        fit(model, samples(8), Recipe(distill=0.5), teacher=model)
