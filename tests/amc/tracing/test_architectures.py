"""Every architecture: what can be pruned of it, and that its cuts are exact."""

import copy
import pickle
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES, built
from real_costs import moved_words, peak_bytes, stored_bytes
from tiny_networks import random_units
from torch import nn

from amc.costs import NM45, Energy, Macs, Memory, Params, Size
from amc.graph import PruningGraph
from amc.modules.fusing import fold_norms
from amc.modules.inputs import Inputs, call, tensors
from amc.refit.moments import Moments
from amc.surgery import cut, mask
from amc.tasks.samples import Samples
from amc.tracing.build import trace
from experiments.studies.architectures.counting import counted_macs


@dataclass(frozen=True)
class Traced:
    """A network of the table; do not change it."""

    model: nn.Module
    inputs: Inputs
    graph: PruningGraph


@cache
def traced(name: str) -> Traced:
    model, inputs = built(name), ARCHITECTURES[name].inputs()
    return Traced(model, inputs, trace(model, inputs))


def outputs(model: nn.Module, inputs: Inputs) -> list[torch.Tensor]:
    with torch.no_grad():
        return tensors(call(model.eval(), inputs))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_can_be_pruned(name: str) -> None:
    graph = traced(name).graph
    assert len(graph.groups) == ARCHITECTURES[name].groups
    made = {layer for group in graph.groups for layer in group.layers}
    named = {item.name for item in graph.fixed}
    layers = {layer.name for layer in graph.layers if layer.kind != "norm"}
    assert made | named == layers | ({"lstm"} if name == "LSTM" else set())
    assert not made & named
    numbers = [(x.module, x.name) for group in graph.groups for x in group.attributes]
    assert len(numbers) == len(set(numbers))


LOOKED_AT = ("ViT, qkv by reshape", "ViT, qkv by chunk", "nn.TransformerEncoder")
"""Cut to one head these look at a tensor that is copied otherwise, or run a kernel of their own."""

UNSEEN = ("nn.TransformerEncoder", "nn.MultiheadAttention", "Weights computed or shared", "LSTM")
"""Modules whose weights cannot be seen from outside, or count by their work alone."""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_cut_network_equals_the_masked_one_and_its_costs_are_exact(
    name: str, tmp_path: Path
) -> None:
    case = traced(name)
    memory = Memory(case.graph, batch=len(tensors(case.inputs)[0]))
    for seed in range(3):
        units = random_units(case.graph.full, seed)
        smaller = cut(case.model, case.graph, units)
        wanted = outputs(mask(case.model, case.graph, units), case.inputs)
        for one, other in zip(outputs(smaller, case.inputs), wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
        kept = [len(staying) for staying in units]
        assert Params(case.graph)(kept) == sum(p.numel() for p in smaller.parameters())
        macs = counted_macs(smaller, case.inputs)
        assert Macs(case.graph)(kept) == macs
        assert Size(case.graph)(kept) == stored_bytes(smaller, tmp_path)
        peak = peak_bytes(smaller, case.inputs)
        assert peak <= memory(kept) <= peak * (1.05 if name in LOOKED_AT else 1)
        if name not in UNSEEN:
            words = moved_words(smaller, case.graph, case.inputs)
            assert Energy(case.graph)(kept) == pytest.approx(macs * NM45.mac + words * NM45.dram)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_graph_and_cut_network_are_plain_objects(name: str) -> None:
    case = traced(name)
    assert pickle.loads(pickle.dumps(case.graph)) == case.graph
    smaller = cut(case.model, case.graph, random_units(case.graph.full, 0))
    again = copy.deepcopy(smaller)
    for one, other in zip(outputs(again, case.inputs), outputs(smaller, case.inputs), strict=True):
        assert torch.equal(one, other)


def takes_one_tensor(name: str) -> bool:
    inputs = ARCHITECTURES[name].inputs()
    return isinstance(inputs, torch.Tensor) and inputs.is_floating_point()


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if takes_one_tensor(name)])
def test_a_refit_network_equals_its_masked_one(name: str) -> None:
    case = traced(name)
    assert isinstance(case.inputs, torch.Tensor)
    noise = torch.randn(40, *case.inputs.shape[1:], generator=torch.Generator().manual_seed(1))
    calibration = Samples(noise, torch.zeros(40, dtype=torch.long))
    moments = Moments.collect(case.model, case.graph, calibration, positions=2)
    assert moments.by_layer
    units = random_units(case.graph.full, 4)
    wanted = outputs(mask(case.model, case.graph, units, moments), case.inputs)
    found = outputs(cut(case.model, case.graph, units, moments), case.inputs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_norms_are_folded_into_what_they_alone_read(name: str) -> None:
    case = traced(name)
    smaller = cut(case.model, case.graph, random_units(case.graph.full, 1))
    wanted = outputs(smaller, case.inputs)
    fold_norms(smaller, case.graph)
    for one, other in zip(outputs(smaller, case.inputs), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


PAGE = (Path(__file__).parents[3] / "docs" / "architectures.md").read_text(encoding="utf-8")


def row(name: str) -> str:
    """What the page says of one architecture; the last layer, which always stays, is left out."""
    entry, graph = ARCHITECTURES[name], traced(name).graph
    whole: dict[str, list[str]] = {}
    for item in graph.fixed:
        if item.reason != "its channels are outputs of the network":
            # What PyTorch says of the shapes of one trial is left out.
            reason = item.reason.partition(" then (")[0]
            whole.setdefault(reason, []).append(item.name)
    left = "; ".join(f"{_some(names)}: {reason}" for reason, names in whole.items())
    return f"| {name} | {entry.shows} | {entry.groups} | {left} |"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"`{names[0]}`{more}"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_page_tells_what_is_left_alone_and_why(name: str) -> None:
    assert row(name) in PAGE.splitlines()


def test_the_page_names_no_other_architectures() -> None:
    table = PAGE.split("| network |")[1].split("\n\n")[0].splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table] == list(ARCHITECTURES)


def test_the_pages_examples_run() -> None:
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "docs/architectures.md", "exec"), {})
