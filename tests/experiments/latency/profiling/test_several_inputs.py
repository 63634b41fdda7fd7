"""Profiles of networks that read tokens, masks and several tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import amc
from amc.granularity import CHANNELS
from experiments.latency import clock
from experiments.latency.profiling import (
    WHOLE,
    Plan,
    measure,
    model_at,
    payload,
    plan_of_network,
    smaller_network,
    table,
    time_networks,
)
from experiments.latency.profiling.measuring import runtime_of
from experiments.latency.profiling.plan import is_whole
from experiments.latency.profiling.planning import reshaped
from experiments.latency.profiling.templates import template
from experiments.settings import RUNTIMES


class Reader(nn.Module):
    """Tokens with a mask, and numbers beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 16)
        self.first = nn.Linear(16, 24)
        self.beside = nn.Linear(3, 24)
        self.second = nn.Linear(24, 4)

    def forward(self, tokens: Tensor, mask: Tensor, numbers: Tensor) -> Tensor:
        """(samples, places), the same, and (samples, 3) to (samples, 4)."""
        hidden = torch.relu(self.first(self.words(tokens))) * mask.unsqueeze(-1)
        mean = hidden.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.second(mean + torch.relu(self.beside(numbers)))
        return logits


class Masked(nn.Module):
    """Convolutions over tokens, with what is no token set to zero in between."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 16)
        self.first = nn.Conv1d(16, 24, 3, padding=1)
        self.second = nn.Conv1d(24, 16, 3, padding=1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(samples, places) and the same of booleans to (samples, 16, places)."""
        gone = ~mask.unsqueeze(1)
        hidden = torch.relu(self.first(self.words(tokens).transpose(1, 2)))
        answers: Tensor = self.second(hidden.masked_fill(gone, 0.0)).masked_fill(gone, 0.0)
        return answers


def inputs(samples: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "tokens": torch.randint(30, (samples, 7), generator=generator),
        "mask": torch.ones(samples, 7, dtype=torch.int64),
        "numbers": torch.randn(samples, 3, generator=generator),
    }


@pytest.fixture(scope="module")
def reader() -> nn.Module:
    torch.manual_seed(0)
    return Reader().eval()


@pytest.mark.parametrize("samples", [1, 3])
def test_the_program_computes_what_the_cut_network_does(reader: nn.Module, samples: int) -> None:
    graph = amc.trace(reader, inputs())
    given = inputs(samples)
    found = template(reader, graph, given)
    assert found.program.inputs == {
        "tokens": (samples, 7),
        "mask": (samples, 7),
        "numbers": (samples, 3),
    }
    kept = tuple(max(1, units // 2) for units in graph.full)
    model_at(found, smaller_network(reader, graph, kept), kept, given)


def run_all(plan: Plan, runtime: str) -> None:
    """Every program once, as a profile loads it; of those that are compiled, which takes seconds,
    one."""
    try:
        clock.device(runtime, 1)
    except ImportError as error:
        pytest.skip(str(error))
    parts = runtime_of(runtime).parts
    for name, make in plan.programs().items():
        if parts and is_whole(name) and name != WHOLE:
            continue
        own = runtime if is_whole(name) else parts or runtime
        clock.load(own, payload(make(), runtime), 1)()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_program_runs_in_every_runtime(reader: nn.Module, runtime: str) -> None:
    graph = amc.trace(reader, inputs())
    run_all(plan_of_network(reader, graph, inputs(), CHANNELS.rounding(8), runtime), runtime)


def test_a_table_is_made_and_whole_networks_are_timed(reader: nn.Module) -> None:
    graph = amc.trace(reader, inputs())
    plan = plan_of_network(reader, graph, inputs(), CHANNELS.rounding(8), "onnxruntime")
    found = table(plan, measure(plan, "onnxruntime", 1, lambda done: None, 0.0), "reader")
    assert {name for name, _ in found.calls} == {"words", "first", "beside", "second"}
    times, _ = time_networks([reader, reader], inputs(), "onnxruntime", 1)
    assert all(one["seconds"] > 0 for one in times)


def test_a_stated_length_is_that_of_tokens_and_mask() -> None:
    longer = reshaped(inputs(2), (12,))
    assert longer["tokens"].shape == longer["mask"].shape == (2, 12)
    assert longer["numbers"].shape == (2, 3)
    assert set(longer["tokens"].flatten().tolist()) <= set(inputs(2)["tokens"].flatten().tolist())
    assert reshaped(inputs(2), (3,))["tokens"].dtype == torch.int64


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_masks_of_booleans_are_no_numbers(runtime: str) -> None:
    torch.manual_seed(0)
    net, tokens = Masked().eval(), torch.randint(30, (1, 9))
    given = {"tokens": tokens, "mask": torch.ones(1, 9, dtype=torch.bool)}
    graph = amc.trace(net, given)
    run_all(plan_of_network(net, graph, given, CHANNELS.rounding(8), runtime), runtime)
