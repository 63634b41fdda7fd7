"""Networks that are only measured compute what the pruned ones do."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from architectures import ARCHITECTURES, built
from tiny_networks import TINY, images, random_kept, samples, tiny
from torch import Tensor, nn

from amc.evaluation import preparing
from amc.modules.fusing import ClampedConv2d
from amc.modules.inputs import call, tensors
from amc.pruning import Pruner, decisions
from amc.pruning.candidates import Candidates
from amc.tasks.samples import Samples
from amc.tracing.build import trace


def outputs(model: nn.Module, inputs: Any) -> Tensor:
    with torch.inference_mode():
        found: Tensor = tensors(call(model.eval(), copy.deepcopy(inputs)))[0]
    return found


def assert_equal_outputs(pruner: Pruner, kept: Sequence[int], inputs: Any) -> None:
    wanted = outputs(pruner.network(kept), inputs)
    found = outputs(Candidates.of(pruner).network(kept), inputs)
    assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max().clamp_min(1e-3)


def pruner_of(model: nn.Module, calibration: Samples | None = None) -> Pruner:
    return Pruner.of(model, trace(model, images()), "l1", calibration=calibration)


@pytest.mark.parametrize("refit", [False, True], ids=["selected", "refit"])
@pytest.mark.parametrize("name", TINY)
def test_a_candidate_computes_what_the_pruned_network_does(name: str, refit: bool) -> None:
    pruner = pruner_of(tiny(name), samples(60) if refit else None)
    for seed in range(2):
        assert_equal_outputs(pruner, random_kept(pruner.graph.full, seed), images(4))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_candidate_of_every_architecture_computes_what_the_pruned_one_does(name: str) -> None:
    model, inputs = built(name), ARCHITECTURES[name].inputs()
    pruner = Pruner.of(model, trace(model, inputs), "l1")
    assert_equal_outputs(pruner, random_kept(pruner.graph.full, 0), inputs)


def test_a_candidate_of_the_zoo_computes_what_the_pruned_network_does(zoo: Any) -> None:
    pruner = Pruner.of(zoo.model, zoo.graph, "l1")
    assert_equal_outputs(pruner, random_kept(zoo.graph.full, 1), zoo.inputs)


@pytest.mark.parametrize("granularity", ["element", "2:4"])
def test_candidates_behind_masks_are_of_full_size(granularity: str) -> None:
    model = wide()
    graph = decisions(model, images(), granularity)
    pruner = Pruner.of(model, graph, "l1", calibration=samples(60))
    kept = [max(1, group.units // 2) for group in graph.groups]
    assert_equal_outputs(pruner, kept, images(4))
    network: Any = Candidates.of(pruner).network(kept)
    assert network[3].weight.shape == (12, 20, 3, 3)


def wide() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 20, 3, bias=False), nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 12, 3)),
        *(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)),
    )


@pytest.mark.parametrize("fast", [torch.float32, torch.bfloat16])
def test_a_candidate_has_no_norms_and_no_activation_that_needs_memory_of_its_own(
    fast: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(preparing, "fast_type", lambda device: fast)
    model: Any = Candidates.of(pruner_of(wide())).network((20, 12))
    assert isinstance(model[1], nn.Identity)
    if fast is torch.float32:
        assert model[2].inplace
    else:
        assert isinstance(model[0], ClampedConv2d)
        assert isinstance(model[2], nn.Identity)


def test_the_network_is_left_untouched() -> None:
    torch.manual_seed(0)
    model = wide().train()
    before, inputs = copy.deepcopy(model.state_dict()), images(4)
    candidates = Candidates.of(pruner_of(model, samples(40)))
    one, other = candidates.network((9, 3)), candidates.network((9, 3))
    first = outputs(one, inputs)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.zero_()
    assert torch.equal(outputs(other, inputs), first)
    assert model.training
    assert not model[2].inplace
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
