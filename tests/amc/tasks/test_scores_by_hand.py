"""What ready-made tasks tell, held against numbers worked out by hand or by other libraries."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from amc.evaluation import score, with_answers
from amc.tasks import (
    Task,
    cross_entropy,
    distillation_loss,
    places_cross_entropy,
    replace_parts,
)


class Answers(nn.Module):
    """Gives back what it is given."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


def told(task: Task) -> float:
    return score(Answers(), task)


def test_the_sign_of_a_single_logit_decides() -> None:
    data = amc.Samples(torch.tensor([[2.0], [-1.0], [0.5], [-3.0]]), torch.tensor([1, 1, 1, 0]))
    assert told(amc.Classification(None, data)) == 0.75


@pytest.mark.parametrize("sizes", [(24,), (7, 10, 7)])
def test_f1_and_mean_iou_are_scikit_learns(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits, yes = torch.randn(24, 5), torch.randint(2, (24, 5))
    batches = list(zip(logits.split(sizes), yes.split(sizes), strict=True))
    wanted = f1_score(yes.numpy(), (logits > 0).numpy(), average="micro")
    assert told(amc.MultiLabel(None, batches)) == pytest.approx(wanted)
    maps, labels = torch.randn(24, 3, 4, 4), torch.randint(3, (24, 4, 4))
    batches = list(zip(maps.split(sizes), labels.split(sizes), strict=True))
    wanted = jaccard_score(labels.flatten(), maps.argmax(1).flatten(), average="macro")
    assert told(amc.Segmentation(None, batches)) == pytest.approx(wanted)


def test_ignored_places_and_absent_classes_do_not_count() -> None:
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-9.0, -9.0]])[None, :, None]  # (1, 3, 1, 2)
    data = [(logits, torch.tensor([[[1, 255]]]))]
    # Place 0 is answered 1 and is 1; place 1 does not count; class 2 neither is nor is answered.
    assert told(amc.Segmentation(None, data)) == 1.0


def test_answers_of_a_lower_resolution_are_scaled_up() -> None:
    labels = torch.tensor([0, 1]).repeat_interleave(4).expand(1, 8, 8).clone()
    coarse = torch.stack([1.0 - labels[:, ::4, ::4].float(), labels[:, ::4, ::4].float()], 1)
    assert told(amc.Segmentation(None, [(coarse, labels)])) == 1.0


def test_the_mean_squared_error_is_over_all_numbers_of_uneven_batches() -> None:
    batches = [(torch.zeros(3, 2), torch.ones(3, 2)), (torch.zeros(1, 2), torch.full((1, 2), 3.0))]
    task = amc.Regression(None, batches)
    assert told(task) == pytest.approx((6 * 1 + 2 * 9) / 8)
    assert not task.score.higher_is_better


def test_perplexity_is_of_the_next_token_and_padding_does_not_count() -> None:
    torch.manual_seed(1)
    logits, tokens = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])

    class Model(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            return {"loss": torch.zeros(()), "logits": logits}

    nats = [
        F.cross_entropy(logits[row, at], tokens[row, at + 1]).item()
        for row, count in ((0, 5), (1, 3))
        for at in range(count - 1)
    ]
    batch = {"input_ids": tokens, "attention_mask": mask}
    found = score(Model(), amc.LanguageModel(None, [batch]))
    assert found == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-5)


@given(st.integers(0, 5), st.floats(0.01, 2))
def test_agreement_is_one_where_answers_are_the_same_and_falls_with_their_distance(
    seed: int, apart: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(40, 6, generator=generator)

    class Off(nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def forward(self, inputs: Tensor) -> Tensor:
            return inputs + self.by * inputs.flip(1)

    task = amc.Unlabelled(inputs).for_problem(Off(0.0), inputs[:1])
    assert score(Off(0.0), task) == 1.0
    near, far = score(Off(apart), task), score(Off(2 * apart), task)
    assert 0 <= far < near < 1


def test_a_constant_answer_agrees_by_about_a_half() -> None:
    inputs = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))

    class Constant(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.zeros_like(inputs)

    task = amc.Unlabelled(inputs).for_problem(Answers(), inputs[:1])
    assert score(Constant(), task) == pytest.approx(0.57, abs=0.05)


class Times(nn.Module):
    """Answers what it is given, a little wrong."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return x * self.by


@given(st.permutations(range(12)), st.integers(1, 12), st.booleans())
def test_a_samples_agreement_is_the_same_whatever_is_in_its_batch(
    order: list[int], size: int, streamed: bool
) -> None:
    inputs = torch.arange(12.0)[:, None] ** 2 + torch.arange(3.0)
    mixed = inputs[torch.tensor(order)]
    data = list(mixed.split(size)) if streamed else mixed
    task = amc.Unlabelled(data).for_problem(Times(1.0), inputs[:1])
    whole = amc.Unlabelled(inputs).for_problem(Times(1.0), inputs[:1])
    wanted = score(Times(0.9), whole)
    assert 0.5 < wanted < 0.99
    assert score(Times(0.9), task, batch_size=size) == pytest.approx(wanted, abs=1e-9)


def test_answers_are_kept_where_asked_and_agreement_goes_by_all_samples() -> None:
    inputs = torch.arange(12.0)[:, None] ** 2 + torch.arange(3.0)
    task = amc.Unlabelled(inputs).for_problem(Times(1.0), inputs[:1])
    told = with_answers(task, keep=False)
    assert told.score_loader is task.score_loader
    kept = with_answers(told)
    assert kept.metric == told.metric
    data = kept.score_loader
    assert isinstance(data, amc.Samples)
    assert data.labels is not None
    assert with_answers(kept) is kept
    one, other = (score(Times(0.9), by) for by in (told, kept))
    assert one == other
    # A part of the samples is held against what all of them vary by.
    few_told = replace_parts(told, score_loader=amc.Samples(inputs[:2]))
    few_kept = with_answers(few_told)
    assert few_kept.metric == told.metric
    assert score(Times(0.9), few_kept) == score(Times(0.9), few_told) > 0.9


def test_agreement_by_hand() -> None:
    inputs = torch.tensor([[0.0, 4.0], [2.0, 8.0]])  # They vary by 1 and by 4 around 1 and 6.
    task = amc.Unlabelled(inputs).for_problem(Times(1.0), inputs[:1])
    # Half of it is wrong by 0 and 2, and by 1 and 4.
    wanted = (1 / (1 + 2 / 2.5) + 1 / (1 + 8.5 / 2.5)) / 2
    assert score(Times(0.5), task) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32, torch.uint8])
def test_padding_does_not_agree(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    long, short = torch.randn(4, 6, 3), torch.randn(4, 2, 3)
    mask = torch.ones(8, 6)
    mask[4:, 2:] = 0
    padded = torch.cat([long, F.pad(short, (0, 0, 0, 4), value=9.0)])
    example = (long[:1],)
    together = amc.Unlabelled([padded], mask_func=lambda batch: mask.to(kind))
    apart = amc.Unlabelled([long, short], mask_func=lambda batch: torch.ones(batch.shape[:2]))
    one, other = (
        score(Times(0.5), task.for_problem(Times(1.0), example)) for task in (together, apart)
    )
    assert one == pytest.approx(other)
    assert score(Times(0.5), amc.Unlabelled([padded]).for_problem(Times(1.0), example)) != one


@pytest.mark.parametrize("shape", [(8,), (3, 8), (8, 1)])
def test_answers_of_any_shape_agree_or_not(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    made = torch.randn(shape)

    class Odd(Times):
        def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
            return made * self.by

    data = torch.zeros(8, 2)
    task = amc.Unlabelled(data).for_problem(Odd(1.0), data[:1])
    assert score(Odd(1.0), task) == 1
    assert 0 <= score(Odd(0.5), task) < 1


@pytest.mark.parametrize(
    ("given", "value", "unpruned", "merit"),
    [
        (amc.Score("accuracy", bounds=(0, 1)), 0.7, None, 0.7),
        (amc.Score("error", higher_is_better=False, bounds=(0, 100)), 25.0, None, 0.75),
        (amc.Score("perplexity", higher_is_better=False), 10.0, 10.0, 0.5),
        (amc.Score("perplexity", higher_is_better=False), 20.0, 10.0, 0.5 / (1 + math.log(2))),
        (amc.Score("PSNR", "dB"), 15.0, 30.0, 0.5 / (1 + math.log(1.5))),
    ],
)
def test_merits_by_hand(
    given: amc.Score, value: float, unpruned: float | None, merit: float
) -> None:
    assert given.merit(value, unpruned) == pytest.approx(merit)


finite = st.floats(-1e6, 1e6)


@given(finite, finite, finite, st.booleans())
def test_merits_never_change_an_order(one: float, other: float, full: float, up: bool) -> None:
    kind = amc.Score("s", higher_is_better=up)
    if kind.better(one, other) and abs(one - other) > 1e-6 * max(abs(one), abs(other), abs(full)):
        assert kind.merit(one, full) > kind.merit(other, full)
    assert 0 < kind.merit(one, full) < 1
    assert kind.merit(kind.worst(full), full) < 0.04


def test_merits_tell_candidates_apart_where_the_unpruned_network_scores_nothing() -> None:
    kind = amc.Score("difference", higher_is_better=False)
    values = [0.0, 1e-9, 1e-3, 90_829.0, 383_987.0]
    merits = [kind.merit(value, 0.0) for value in values]
    assert merits[0] == 0.5
    assert all(one - other > 1e-5 for one, other in pairwise(merits))


def causal(logits: Tensor) -> nn.Module:
    class Model(nn.Module):
        def forward(self, input_ids: Tensor, **others: Tensor) -> Tensor:
            return logits

    return Model()


def test_labels_that_are_not_the_inputs_stand_where_they_are_foretold() -> None:
    """Shifted already, of an encoder and decoder, of masked tokens: the loss of transformers."""
    torch.manual_seed(2)
    logits, ids = torch.randn(2, 5, 7), torch.randint(7, (2, 6))
    plain, after = ids[:, :-1], ids[:, 1:]
    exact = F.cross_entropy(logits.flatten(0, 1), after.flatten()).exp().item()
    for batch in ((plain, after), {"input_ids": plain, "labels": after}):
        assert score(causal(logits), amc.LanguageModel(None, [batch])) == pytest.approx(exact)
    hidden = torch.full_like(plain, -100)
    hidden[:, 2] = (plain[:, 2] + 1) % 7
    masked = F.cross_entropy(logits[:, 2], hidden[:, 2]).exp().item()
    assert score(causal(logits), amc.LanguageModel(None, [(plain, hidden)])) == pytest.approx(
        masked
    )


def test_labels_that_repeat_the_inputs_are_shifted_and_that_can_be_said() -> None:
    torch.manual_seed(3)
    logits, ids = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    prompted = ids.masked_fill(torch.arange(5) < 2, -100)
    exact = F.cross_entropy(logits[:, 1:-1].flatten(0, 1), ids[:, 2:].flatten()).exp().item()
    batch = {"input_ids": ids, "labels": prompted}
    assert score(causal(logits), amc.LanguageModel(None, [batch])) == pytest.approx(exact)
    kept = F.cross_entropy(logits[:, 2:].flatten(0, 1), ids[:, 2:].flatten()).exp().item()
    assert score(causal(logits), amc.LanguageModel(None, [batch], shift=False)) == pytest.approx(
        kept
    )


def test_nothing_is_foretold_from_padding_on_the_left() -> None:
    torch.manual_seed(4)
    logits, ids = torch.randn(1, 5, 7), torch.randint(7, (1, 5))
    batch = {"input_ids": ids, "attention_mask": torch.tensor([[0, 0, 1, 1, 1]])}
    exact = F.cross_entropy(logits[0, 2:4], ids[0, 3:]).exp().item()
    assert score(causal(logits), amc.LanguageModel(None, [batch])) == pytest.approx(exact)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((torch.full((2, 5), 3), torch.ones(2, 5, dtype=torch.long)), "looks like a mask"),
        ((torch.full((2, 5), 3), torch.ones(2, 5)), "looks like a mask"),
        ((torch.full((2, 5), 3), torch.full((2, 5), 7)), "labels go from 7 to 7 .* has 7"),
        ((torch.full((2, 5), 3), torch.full((2, 5), -100)), "no token to foretell"),
        (torch.full((2, 4), 3), r"answers \(2, 5, 7\) for tokens \(2, 4\)"),
    ],
)
def test_what_is_no_tokens_is_refused(batch: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score(causal(torch.randn(2, 5, 7)), amc.LanguageModel(None, [batch]))


def test_places_that_are_all_ignored_are_no_score() -> None:
    labels = torch.full((2, 4, 4), 255)
    task = amc.Segmentation(None, [(torch.randn(2, 3, 4, 4), labels)])
    with pytest.raises(ValueError, match="every place has the ignored label 255"):
        told(task)


def test_forbidden_choices_do_not_count_however_they_are_marked() -> None:
    """A policy's logits, of which some are -inf or -1e9: the others alone are compared."""
    torch.manual_seed(5)
    inputs, legal = torch.randn(32, 6), torch.rand(32, 6) < 0.5
    legal[:, 0] = True

    class Policy(nn.Module):
        def __init__(self, by: float, fill: float) -> None:
            super().__init__()
            self.by, self.fill = by, fill

        def forward(self, x: Tensor, legal: Tensor) -> Tensor:
            return (x * self.by).masked_fill(~legal, self.fill)

    scores = []
    for fill in (-math.inf, -1e9, torch.finfo(torch.float32).min):
        example = (inputs[:1], legal[:1])
        task = amc.Unlabelled([(inputs, legal)]).for_problem(Policy(1.0, fill), example)
        assert score(Policy(1.0, fill), task) == 1
        scores.append(score(Policy(0.5, fill), task))
        assert score(Policy(0.5, 0.0), task) == 0, "one that allows what is forbidden"
    assert 0 < scores[0] < 1
    assert scores == pytest.approx([scores[0]] * 3)


def test_answers_that_are_always_the_same_tell_nothing() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (torch.ones(len(x)),)

    class Both(Constant):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (*super().forward(x), x)

    inputs = torch.randn(8, 2)
    task = amc.Unlabelled(inputs)
    with pytest.raises(ValueError, match="the same to all samples"):
        score(Constant(), task.for_problem(Constant(), inputs[:1]))
    with pytest.raises(ValueError, match="the same to all samples"):
        score(Both(), amc.Unlabelled(inputs[:1]).for_problem(Both(), inputs[:1]))

    class Half(Both):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            one, other = super().forward(x)
            return one + 1, other / 2

    bound, alone = task.for_problem(Both(), inputs[:1]), nn.Identity()

    class HalfAlone(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 2

    expected = score(HalfAlone(), task.for_problem(alone, inputs[:1]))
    assert score(Half(), bound) == pytest.approx(expected)


def test_a_candidate_whose_metric_is_no_number_is_the_worst_and_ends_nothing() -> None:
    class Sized(nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def forward(self, x: Tensor) -> Tensor:
            return x * self.by

    task = amc.Regression(None, [(torch.ones(4, 2), torch.ones(4, 2))])
    assert score(Sized(1.0), task) == 0
    assert score(Sized(math.inf), task) == score(Sized(math.nan), task) == 1e100


@pytest.mark.parametrize("value", [1e200, -1e101, 10**400])
def test_scores_beyond_all_measure_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"scores go up to 1e\+100|return one number"):
        amc.Score("likelihood").check(value, "score_func")


@pytest.mark.parametrize("shape", [(16,), (16, 1), (16, 1, 3, 3)])
def test_one_logit_is_distilled_as_two_classes_are(shape: tuple[int, ...]) -> None:
    torch.manual_seed(6)
    one, other = torch.randn(shape), torch.randn(shape)
    single = one[:, None] if one.dim() == 1 else one
    wanted = other[:, None] if other.dim() == 1 else other
    beside = [torch.cat([torch.zeros_like(each), each], 1) for each in (single, wanted)]
    assert distillation_loss(one, other, 2.0) == pytest.approx(
        distillation_loss(*beside, 2.0).item()
    )
    assert distillation_loss(one, one, 2.0) == pytest.approx(0.0, abs=1e-6)
    assert distillation_loss(one, other, 2.0) > 0


def test_smoothed_labels_are_those_of_pytorch_and_of_one_logit_half_and_half() -> None:
    torch.manual_seed(7)
    logits, labels = torch.randn(6, 4), torch.randint(4, (6,))
    exact = F.cross_entropy(logits, labels, label_smoothing=0.2)
    assert cross_entropy(logits, (None, labels), smoothing=0.2) == exact
    single, truth = torch.randn(6), torch.randint(2, (6,))
    two = F.cross_entropy(torch.stack([torch.zeros(6), single], 1), truth, label_smoothing=0.2)
    for logit in (single, single[:, None]):
        found = cross_entropy(logit, (None, truth), smoothing=0.2)
        assert found == pytest.approx(two.item(), rel=1e-5)
    maps, places = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    places[0] = 255
    kept = F.cross_entropy(maps[1:], places[1:], label_smoothing=0.2)
    assert places_cross_entropy(maps, (None, places), 255, smoothing=0.2) == pytest.approx(
        kept.item()
    )
