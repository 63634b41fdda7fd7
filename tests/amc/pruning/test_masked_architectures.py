"""Every architecture at every granularity that masks: just what was asked for is zero."""

from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES, built
from torch import nn

from amc.costs import Params
from amc.graph import PruningGraph
from amc.modules.inputs import Inputs, call, tensors
from amc.pruning import Pruner, decisions
from amc.pruning.masks import held_masks
from amc.tracing.build import survey

MASKING = ["element", "vector", "kernel", "2:4", "n:4"]


def divides_into_four(graph: PruningGraph) -> bool:
    """Whether the filters of any layer that may be masked read a multiple of four inputs."""
    whole = {item.name for item in graph.fixed}
    layers = [x for x in graph.layers if x.kind in ("conv", "linear") and x.name not in whole]
    return any(layer.inputs // layer.groups % 4 == 0 for layer in layers)


@pytest.mark.parametrize("granularity", MASKING)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_half_of_every_layer_is_zero_and_the_network_runs(name: str, granularity: str) -> None:
    model, inputs = built(name), ARCHITECTURES[name].inputs()
    if ":" in granularity and not divides_into_four(survey(model, inputs)):
        with pytest.raises(ValueError, match="do not divide into 4"):
            decisions(model, inputs, granularity)
        return
    graph = decisions(model, inputs, granularity)
    kept = [max(1, units // 2) for units in graph.full]
    pruner = Pruner.of(model, graph, "l1")
    held = pruner.trainable(kept).eval()
    masks = held_masks(held)
    for group, count in zip(graph.groups, kept, strict=True):
        weight = held.get_submodule(group.name).weight
        if count < group.units:
            assert int(masks[group.name].sum()) == count * group.unit_weights
            assert (weight[~masks[group.name]] == 0).all()
    with torch.no_grad():
        assert all(value.isfinite().all() for value in tensors(call(held, inputs)))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    pruned = sum(int((~mask).sum()) for mask in masks.values())
    assert Params(graph)(kept) == parameters - pruned


PAGE = (Path(__file__).parents[3] / "docs" / "granularities.md").read_text(encoding="utf-8")


def cell(model: nn.Module, inputs: Inputs, granularity: str, layers: int) -> str:
    """How many layers can be masked, or why none can."""
    try:
        return f"{len(decisions(model, inputs, granularity).groups)} of {layers} layers"
    except ValueError as error:
        reason = str(error).partition("(")[2].partition(";")[0].rstrip(")")
        return f"refused: {reason.partition(': ')[2]}"


def row(name: str) -> str:
    """What the page says of one architecture: at each granularity how many layers can be masked."""
    model, inputs = built(name), ARCHITECTURES[name].inputs()
    layers = sum(layer.kind != "norm" for layer in survey(model, inputs).layers)
    cells = [cell(model, inputs, granularity, layers) for granularity in ("element", "n:4")]
    return f"| {name} | {ARCHITECTURES[name].groups} groups | {cells[0]} | {cells[1]} |"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_page_tells_what_works_at_which_granularity(name: str) -> None:
    assert row(name) in PAGE.splitlines()


def test_the_page_names_no_other_architectures() -> None:
    table = PAGE.split("| network | channel |")[1].split("\n\n")[0].splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table] == list(ARCHITECTURES)
