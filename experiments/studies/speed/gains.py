"""What each part of the fast evaluation is worth: each is left out in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import bfloat16_is_fast, device_of, lay_out, on_all_cores
from amc.evaluation import BATCH, batch_for, laid_out, make_ready
from amc.graph import Kept
from amc.modules import fold_norms, fuse_activations
from amc.problem import Problem
from amc.pruning import Candidates, Pruner
from amc.refit import Moments, Reconstruction
from amc.surgery import cut, mask
from amc.tasks import Samples
from experiments.studies.accuracies import fast_hits, held_out, hits
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case
from experiments.studies.speed.policies import random_policies
from experiments.studies.speed.replacing import replace_function

POLICIES = 8
WHOLE = "nothing"

Evaluation = Callable[[Kept], Tensor]
"""(images,) whether the candidate classifies each one correctly."""

Measured = Callable[[nn.Module], Tensor]


def gains(case: Case, policies: int = POLICIES) -> dict[str, Any]:
    """Time evaluations of a few policies with one part left out, in turns with the whole.

    Args:
        case: The network.
        policies: How many; of each part the median ratio counts.
    """
    problem = case.problem()
    ways = without(problem, case.calibration)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number, kept in enumerate(random_policies(problem, policies + 1, seed=3)):
        for name, evaluate in sorted(ways.items(), reverse=bool(number % 2)):
            start = time.perf_counter()
            with torch.no_grad():
                evaluate(kept)
            if number:  # the first is warm-up
                seconds[name].append(time.perf_counter() - start)
    whole = seconds[WHOLE]
    found = {
        name: {
            "seconds": median(each),
            "ratio": median(one / other for one, other in zip(each, whole, strict=True)),
        }
        for name, each in seconds.items()
    }
    return {"gains": found}


def table(found: Mapping[str, Any]) -> str:
    """What `gains` found, in Markdown."""
    lines = [
        [name, f"{row['seconds']:.3f}", f"{row['ratio']:.2f}"]
        for name, row in found["gains"].items()
    ]
    return markdown(["left out", "seconds", "times as long"], lines)


def without(problem: Problem, calibration: Samples) -> dict[str, Evaluation]:
    """Evaluations that leave one part out, by its name.

    Args:
        problem: Whose candidates are evaluated.
        calibration: Training images for the refit.
    """
    pruner = Pruner.of(problem.model, problem.graph, problem.criterion, calibration=calibration)
    ours = Candidates.of(pruner)

    def measured(network: nn.Module) -> Tensor:
        return fast_hits(network, problem.graph, held_out(problem))

    def by(make: Candidates) -> Evaluation:
        return lambda kept: measured(make.network(kept))

    device = device_of(problem.model)
    half, usual = bfloat16_is_fast(device), batch_for(problem.graph, device)

    def in_batches(size: int, half: bool = half) -> Evaluation:
        return lambda kept: hits(ours.network(kept), held_out(problem), size, half=half)

    return {
        WHOLE: by(ours),
        "batch norms folded, and activations in their convolutions": by(_unfolded(pruner)),
        **({"activations in their convolutions": by(_unfused(pruner))} if half else {}),
        "kernels and images laid out channels last": _plain_layout(ours, measured),
        f"a batch that fits the caches ({usual}): one of {BATCH}": in_batches(BATCH),
        f"the same: one of {5 * BATCH}": in_batches(5 * BATCH),
        **({"bfloat16, for float32": in_batches(usual, half=False)} if half else {}),
        "batches side by side on the cores": _one_by_one(ours, measured),
        "smaller networks: zeros in one of full size": _masked(problem, measured),
        "equations of the refit made once": _cut(ours, measured, pruner.moments, sharing=True),
        "what does not change shared with the copy": _cut(
            ours, measured, ours.reconstruction, sharing=False
        ),
        "all that is done once a search": lambda kept: measured(_afresh(problem, kept)),
    }


def _unfolded(pruner: Pruner) -> Candidates:
    """Candidates with their batch norms."""
    with replace_function(fold_norms, lambda model, graph: graph):
        return Candidates.of(pruner)


def _unfused(pruner: Pruner) -> Candidates:
    """Candidates whose activations are operations of their own."""
    with replace_function(fuse_activations, lambda model, graph: None):
        return Candidates.of(pruner)


def _plain_layout(ours: Candidates, measured: Measured) -> Evaluation:
    def evaluate(kept: Kept) -> Tensor:
        network = ours.network(kept)
        lay_out(network, torch.contiguous_format)
        with replace_function(laid_out, lambda inputs: inputs):
            return measured(network)

    return evaluate


def _one_by_one(ours: Candidates, measured: Measured) -> Evaluation:
    """Batch after batch, each operation on all cores."""

    def in_turn(function: Callable[[Any], Any], items: list[Any], device: object) -> list[Any]:
        return [function(item) for item in items]

    def evaluate(kept: Kept) -> Tensor:
        with replace_function(on_all_cores, in_turn, within=("amc.evaluation",)):
            return measured(ours.network(kept))

    return evaluate


def _masked(problem: Problem, measured: Measured) -> Evaluation:
    def evaluate(kept: Kept) -> Tensor:
        units = problem.units(kept)
        network = mask(problem.model, problem.graph, units, problem.moments)
        make_ready(network, problem.graph)
        return measured(network)

    return evaluate


def _cut(
    ours: Candidates,
    measured: Measured,
    repair: Moments | Reconstruction | None,
    *,
    sharing: bool,
) -> Evaluation:
    """What `Candidates.network` does, with another repair or without sharing."""

    def evaluate(kept: Kept) -> Tensor:
        units = ours.pruner.units(kept)
        network = cut(ours.model, ours.graph, units, repair, sharing=sharing)
        lay_out(network, torch.channels_last)
        return measured(network)

    return evaluate


def _afresh(problem: Problem, kept: Kept) -> nn.Module:
    """The network that the search would hand out, made ready for one evaluation."""
    network = problem.network(kept)
    make_ready(network, problem.graph)
    return network
