"""Answers of devices whose times follow a formula."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from amc.costs.latency import Device
from experiments.latency.clock import Timing
from experiments.latency.profiling.measuring import Answer
from experiments.latency.profiling.plan import EMPTY, Plan, feed_name, part_name

PASS = 5e-6
DEVICE = Device("a processor", 2, "Linux x86_64", "onnxruntime", "1.0.0", threads=1, batch=2)

Formula = Callable[[int, int], float]


def in_blocks(inputs: int, outputs: int) -> float:
    """Blocks of 8 outputs; inputs that do not fill blocks of 4 take twice as long."""
    return 1e-7 * inputs * -(-outputs // 8) * (1 if inputs % 4 == 0 else 2)


def timing(seconds: float) -> Timing:
    return {"seconds": seconds, "spread": 0.0, "typical": seconds}


def answer(plan: Plan, formula: Formula, constant: float = 0.0, scale: float = 1.0) -> Answer:
    """Parts take what the formula says and what feeds them; whole networks are off by a scale."""
    found = {EMPTY: timing(PASS)}
    for number, part in enumerate(plan.parts):
        for item in (*part.sizes, *part.checks):
            shapes = plan.feeds(part, item)
            found |= {feed_name(shape): timing(PASS + _fed(shape)) for shape in shapes}
            own = formula(item.inputs, item.outputs) + PASS + sum(map(_fed, shapes))
            found[part_name(number, item)] = timing(own)
    graph = plan.template.graph
    for number, kept in enumerate(plan.networks):
        outputs, inputs = graph.widths(kept)
        rows = [graph.layer_index[layer] for layer, _ in plan.calls]
        total = sum(formula(int(inputs[row]), int(outputs[row])) for row in rows)
        for name in ("network", "again"):
            found[f"{name}/{number}"] = timing(constant + scale * total)
    return Answer(DEVICE, found, 0.0, 1.0)


def _fed(shape: tuple[int, ...]) -> float:
    return 1e-9 * prod(shape)
