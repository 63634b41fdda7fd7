"""Memory that runs out: smaller parts, then a clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from amc import Samples
from amc.devices import in_parts, out_of_memory
from amc.evaluation import recalibrate
from amc.finetuning import Recipe, fit, fitting
from amc.refit.moments import Moments
from amc.tracing.build import trace
from experiments.studies.accuracies import accuracy


class Hungry(nn.Module):
    """Has no memory for more than so many samples at once."""

    def __init__(self, most: int, error: Callable[[], Exception]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer: nn.Module = nn.Linear(4, 3)
        self.most, self.error = most, error
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) > self.most:
            raise self.error()
        self.seen.append(len(inputs))
        logits: Tensor = self.layer(inputs)
        return logits


def of_gpu() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def of_machine() -> Exception:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    return caught.value


def samples(count: int) -> Samples:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 4, generator=generator)
    return Samples(inputs, torch.randint(0, 3, (count,), generator=generator))


KINDS: list[Any] = [of_gpu, of_machine, MemoryError]


@pytest.mark.parametrize("error", KINDS)
def test_errors_of_every_kind_are_recognised(error: Callable[[], Exception]) -> None:
    assert out_of_memory(error())
    assert not out_of_memory(RuntimeError("shapes do not match"))


@pytest.mark.parametrize("error", KINDS)
def test_accuracy_is_measured_in_smaller_batches(error: Callable[[], Exception]) -> None:
    data = samples(230)
    hungry, plain = Hungry(30, error), Hungry(1000, error)
    assert accuracy(hungry, data) == accuracy(plain, data)
    assert max(hungry.seen) == 23
    assert plain.seen == [58, 58, 58, 56]


@pytest.mark.parametrize("error", KINDS)
def test_training_takes_a_batch_in_parts(
    error: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts and whole add up alike but for rounding, of which bfloat16 has too much to see that.
    monkeypatch.setattr(fitting, "trains_in_half", lambda model: False)
    data, recipe = samples(96), Recipe(lr=0.1, batch_size=32)
    hungry, plain = Hungry(9, error), Hungry(1000, error)
    losses: dict[str, list[float]] = {"hungry": [], "plain": []}
    for name, model in (("hungry", hungry), ("plain", plain)):
        told = losses[name]
        fit(model, data, recipe, steps=6, on_step=lambda _, __, loss, t=told: t.append(loss))  # type: ignore[misc]
    assert set(hungry.seen) == {8}
    assert losses["hungry"] == pytest.approx(losses["plain"], abs=1e-6)
    torch.testing.assert_close(hungry.layer.weight, plain.layer.weight)


def deep(most: int, error: Callable[[], Exception]) -> Hungry:
    """With a layer that can lose inputs, behind a batch norm."""
    hungry = Hungry(most, error)
    torch.manual_seed(2)
    hungry.layer = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    return hungry.eval()


@pytest.mark.parametrize("error", KINDS)
def test_moments_are_collected_in_smaller_batches(error: Callable[[], Exception]) -> None:
    data = samples(230)
    hungry, plain = deep(30, error), deep(1000, error)
    graph = trace(plain, data.inputs[:1])
    hungry.seen.clear(), plain.seen.clear()
    ours, theirs = (Moments.collect(m, graph, data).by_layer for m in (hungry, plain))
    assert (set(hungry.seen), plain.seen) == ({25, 5}, [100, 100, 30])
    assert list(ours) == list(theirs) == ["layer.3"]
    torch.testing.assert_close(ours["layer.3"].mean, theirs["layer.3"].mean)
    torch.testing.assert_close(ours["layer.3"].second, theirs["layer.3"].second)
    assert not any(module._forward_pre_hooks for module in hungry.modules())


def test_batch_norms_are_measured_again_in_smaller_batches() -> None:
    data, hungry, plain = samples(240), deep(30, of_gpu), deep(1000, of_gpu)
    recalibrate(hungry, data)
    recalibrate(plain, data, 25)
    assert hungry.seen == plain.seen
    torch.testing.assert_close(hungry.state_dict(), plain.state_dict(), rtol=0, atol=0)


def test_no_memory_for_the_smallest_part_is_a_clear_error() -> None:
    data = samples(20)
    with pytest.raises(MemoryError, match=r"measuring a score: memory runs out even in 64 parts"):
        accuracy(Hungry(0, of_gpu), data)
    starved = deep(1, of_gpu)
    graph = trace(starved, data.inputs[:1])
    starved.most = 0
    with pytest.raises(MemoryError, match=r"moments of calibration samples: memory runs out even"):
        Moments.collect(starved, graph, data)
    with pytest.raises(MemoryError, match=r"batch norms again: memory runs out even in 32 parts"):
        recalibrate(starved, data)
    with pytest.raises(MemoryError, match=r"training: memory runs out even in .* close other"):
        fit(Hungry(1, of_gpu), data, Recipe(batch_size=16), steps=1)


def test_other_errors_are_not_tried_again() -> None:
    tries = []

    def work(parts: int) -> None:
        tries.append(parts)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_parts(work, 8, "work")
    assert tries == [1]
