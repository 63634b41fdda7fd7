"""Places that are padding enter no moments."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import amc
from amc.refit import Moments
from amc.tasks import Task

PAD = 0


class Tokens(nn.Module):
    """A linear layer, or a convolution along the sequence, on embeddings; padding is far off."""

    def __init__(self, *, flat: bool = False, along: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flat, self.along = flat, along
        self.embed, self.first = nn.Embedding(9, 4), nn.Linear(4, 6)
        self.hidden = nn.Conv1d(6, 5, 3, padding=1) if along else nn.Linear(6, 5)
        self.last = nn.Linear(5, 3)
        with torch.no_grad():
            self.embed.weight[PAD] = 1e3

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        found = self.first(self.embed(input_ids))
        if self.along:
            kept = found * attention_mask[..., None]
            found = self.hidden(kept.transpose(1, 2)).transpose(1, 2)
        elif self.flat:
            found = self.hidden(found.flatten(0, 1)).unflatten(0, input_ids.shape)
        else:
            found = self.hidden(found)
        made: Tensor = self.last(found)
        return made


def batch(count: int = 40, length: int = 12) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 9, (count, length), generator=generator)
    ends = torch.randint(1, length, (count,), generator=generator)
    mask = (torch.arange(length) < ends[:, None]).long()
    return {"input_ids": torch.where(mask > 0, tokens, PAD), "attention_mask": mask}


def task(data: dict[str, Tensor], model: nn.Module) -> Task:
    example = {name: one[:1] for name, one in data.items()}
    return amc.Unlabelled([data]).for_problem(model, example)


@pytest.mark.parametrize("flat", [False, True])
def test_moments_are_those_of_real_places_alone(flat: bool) -> None:
    model, data = Tokens(flat=flat).eval(), batch()
    graph = amc.trace(model, data)
    moments = Moments.collect(model, graph, task(data, model), positions=400).by_layer["hidden"]
    with torch.no_grad():
        real = model.first(model.embed(data["input_ids"][data["attention_mask"] > 0]))
    assert moments.mean.abs().max() < 10
    # Each sequence weighs the same where some of its places are drawn, however many there are.
    torch.testing.assert_close(moments.mean, real.mean(0), atol=0.2, rtol=0.2)


def test_patches_along_a_sequence_are_drawn_around_real_places() -> None:
    model, data = Tokens(along=True).eval(), batch()
    graph = amc.trace(model, data)
    found = Moments.collect(model, graph, task(data, model), positions=50).by_layer["hidden"]
    middles = found.second.diagonal().reshape(6, 3)[:, 1]
    assert (middles > 0).all()
    plain = amc.Unlabelled([data], mask_func=lambda batch: None).for_problem(model, data)
    other = Moments.collect(model, graph, plain, positions=50).by_layer["hidden"]
    # Of zeros in padding there are none among the middles now.
    assert (middles > 1.3 * other.second.diagonal().reshape(6, 3)[:, 1]).all()


def test_padding_changes_no_score_of_agreement() -> None:
    model, data = Tokens().eval(), batch()
    made = task(data, model)
    other = Tokens().eval()
    with torch.no_grad():
        other.embed.weight[PAD] = -1e3
    from amc.evaluation import score

    assert score(other, made) == 1.0
