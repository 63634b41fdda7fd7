"""How an episode grows when the network, its images or their number are doubled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from amc.evaluation import recalibrate
from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.refit import Equations, Moment
from amc.tasks import Classification, Samples
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case
from experiments.studies.speed.episodes import FORWARD, OURS
from experiments.studies.speed.policies import random_policies
from experiments.studies.speed.stopwatch import Stopwatch
from experiments.zoo import SmallResNet

CLASSES = 10
POLICIES = 5
WIDE = (512, 3, 3)
"""Inputs of VGG's widest convolutions."""
KEPT = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


def network(width: float = 1.0, blocks: int = 3) -> nn.Module:
    """A residual network of 6 * blocks + 2 layers with random weights."""
    torch.manual_seed(0)
    return SmallResNet(1, CLASSES, width, blocks)


def noise(count: int, pixels: int) -> Samples:
    """Images of noise; time does not depend on what they show."""
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(256, (count, 1, pixels, pixels), dtype=torch.uint8, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return Samples(images, labels, (0.5,), (0.25,))


def growth(case: Case) -> dict[str, Any]:
    """Double one thing at a time, and return how the evaluation grows.

    Args:
        case: Says how many images there are and what the budget is; the network is another.
    """
    images = case.sizes.images // 2
    cases: dict[str, Callable[[], dict[str, float]]] = {
        "ResNet-20, 28 x 28": lambda: times(case, network(), images, 28),
        "twice the images": lambda: times(case, network(), 2 * images, 28),
        "twice the width": lambda: times(case, network(2), images, 28),
        "twice the layers (38)": lambda: times(case, network(blocks=6), images, 28),
        "twice the height and width": lambda: times(case, network(), images, 56),
    }
    rows = {name: measure() for name, measure in cases.items()}
    wide = {f"{part:g}": seconds for part, seconds in wide_refits().items()}
    return {"growth": rows, "wide_refit": wide}


def times(case: Case, model: nn.Module, images: int, pixels: int) -> dict[str, float]:
    """Median seconds of an evaluation's stages over a few policies, and the forward's MACs."""
    data = noise(max(images, 500), pixels)
    recalibrate(model.eval(), data.take(slice(0, 200)))
    problem = Problem(
        model,
        data.floats(slice(0, 1)),
        [Budget("macs", case.sizes.budget)],
        task=Classification(
            None, data.take(slice(0, images)), calibration=data.take(slice(0, 500))
        ),
        rounding=Rounding(depth=False),
    )
    stages: list[Mapping[str, float]] = []
    seconds, watch = [], Stopwatch()
    with watch.watching(OURS):
        for kept in random_policies(problem, POLICIES + 1, seed=0):
            start = time.perf_counter()
            problem.evaluate(kept)
            seconds.append(time.perf_counter() - start)
            stages.append(watch.taken())
    found = {"macs": problem.costs["macs"](problem.graph.full) * images}
    found["whole"] = median(seconds[1:])
    for name in (FORWARD, "refit", "ranking and cut"):
        found[name] = median(one.get(name, 0.0) for one in stages[1:])
    return found


def table(found: Mapping[str, Any]) -> str:
    """What `growth` found, in Markdown."""
    wide = found["wide_refit"]
    heads = ["inputs that stay", *(f"{float(part):.0%}" for part in wide)]
    refits = markdown(heads, [["seconds", *(f"{seconds:.2f}" for seconds in wide.values())]])
    return f"{_doubled(found['growth'])}\n\n{refits}"


def _doubled(rows: Mapping[str, Mapping[str, float]]) -> str:
    base = next(iter(rows.values()))
    columns = {"MACs": "macs", "evaluation": "whole", "forward": FORWARD, "refit": "refit"}
    columns["ranking and cut"] = "ranking and cut"
    lines = []
    for name, row in rows.items():
        cells = [
            f"{row[key]:.3f} s (x {row[key] / base[key]:.2f})"
            if key != "macs"
            else f"x {row[key] / base[key]:.2f}"
            for key in columns.values()
        ]
        lines.append([name, *cells])
    return markdown(["", *columns], lines)


def wide_refits(inputs: tuple[int, ...] = WIDE, outputs: int = 512) -> dict[float, float]:
    """Seconds of the refit of one wide layer, by the part of its inputs that stays."""
    generator = torch.Generator().manual_seed(0)
    size = inputs[0] * inputs[1] * inputs[2]
    rows = torch.randn(2 * size, size, generator=generator)
    weight = torch.randn(outputs, *inputs, generator=generator)
    moment = Moment(rows.mean(0), (rows.T @ rows).div_(len(rows)))
    equations = Equations.of(weight, moment, with_offset=True)
    found = {}
    for part in KEPT:
        kept = torch.randperm(inputs[0], generator=generator)[: round(part * inputs[0])]
        found[part] = min(_seconds(equations, kept.sort().values) for _ in range(2))
    return found


def _seconds(equations: Equations, kept: Tensor) -> float:
    start = time.perf_counter()
    equations.solve(kept)
    return time.perf_counter() - start
