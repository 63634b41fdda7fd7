"""From a plan over timings to a table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from amc.costs.latency import (
    Correction,
    Device,
    Fit,
    Latency,
    LatencyTable,
    Piece,
    Point,
)
from amc.devices import own_threads
from experiments.latency import clock, commanded
from experiments.latency.profiling.by_command import Notes, measure_by
from experiments.latency.profiling.correction import fit_correction
from experiments.latency.profiling.plan import (
    EMPTY,
    WHOLE,
    Part,
    Plan,
    Sizes,
    feed_name,
    part_name,
)
from experiments.latency.profiling.program import Program, to_json, to_onnx
from experiments.settings import COMMAND

Timings = Mapping[str, clock.Timing]


@dataclass(frozen=True)
class Runtime:
    """What differs between runtimes beside how `clock` loads a program.

    Args:
        payload: A program in the form that it is given.
        reads_onnx: It is given ONNX as it is.
        fed: It lays tensors out as it likes between layers, so that parts have to be fed.
    """

    payload: Callable[[Program], bytes]
    reads_onnx: bool
    fed: bool


def _onnx(program: Program) -> bytes:
    made: bytes = to_onnx(program).SerializeToString()
    return made


RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": Runtime(_onnx, reads_onnx=True, fed=True),
    "openvino": Runtime(_onnx, reads_onnx=True, fed=True),
    "torch": Runtime(to_json, reads_onnx=False, fed=False),
}
"""Short names; a command is given what onnxruntime is."""


def runtime_of(name: str) -> Runtime:
    """That of a short name or of a command."""
    return RUNTIMES["onnxruntime" if name.startswith(COMMAND) else name]


def payload(program: Program, runtime: str) -> bytes:
    """A program in the form that a runtime is given."""
    return runtime_of(runtime).payload(program)


@dataclass(frozen=True)
class Answer:
    """What a device answered to a plan.

    Args:
        device: Where the programs ran.
        timings: Of every program.
        unsteady: How far one program's time went apart meanwhile.
        took: Seconds.
    """

    device: Device
    timings: Timings
    unsteady: float
    took: float


def measure(
    plan: Plan,
    runtime: str,
    threads: int,
    said: Callable[[int], None],
    seconds: float = math.inf,
    notes: Notes | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Answer:
    """Time a plan on this machine, or by a command.

    Args:
        plan: What is timed.
        runtime: Short name, or a command.
        threads: That it may use.
        said: Told how many programs are done.
        seconds: See `experiments.latency.clock.measure`; a command has its time.
        notes: Where a command's answers are kept; see `measure_by`.
        say: Told what a command failed at.
    """
    programs, start = plan.programs(), time.perf_counter()

    def made(name: str) -> bytes:
        return payload(programs[name](), runtime)

    def ready(name: str) -> clock.Run:
        return clock.load(runtime, made(name), threads)

    if command := commanded.Command.of(runtime, threads):
        each = {name: partial(made, name) for name in programs}
        timings, unsteady = measure_by(command, each, WHOLE, notes, said, say)
    else:
        with own_threads():
            timings, unsteady = clock.measure(
                list(programs), ready, WHOLE, said, plan.often(programs), seconds
            )
    device = Device(**commanded.device(runtime, threads), **plan.fixed)
    return Answer(device, timings, unsteady, time.perf_counter() - start)


def table(plan: Plan, answer: Answer, network: str) -> LatencyTable:
    """What an answer comes to; `network` names it for people."""
    graph, timings = plan.template.graph, answer.timings
    pieces = tuple(_piece(plan, number, part, timings) for number, part in enumerate(plan.parts))
    found = LatencyTable(
        answer.device,
        network,
        tuple(layer for layer in graph.layers if layer.kind != "norm"),
        plan.calls,
        pieces,
        Correction(0.0, {part.kind: 1.0 for part in plan.parts}),
        Fit(0, 0.0, 0.0, 0.0, 0.0),
        {
            "rounds": _rounds(answer.device.runtime),
            "programs": len(timings),
            "unsteady": answer.unsteady,
            "took": answer.took,
            "typical": timings[WHOLE]["typical"],
            "blocks": float(bool(plan.rounding.steps)),
            "multiple": float(plan.rounding.round_to),
            "max_ratio": plan.rounding.max_ratio,
        },
    )
    correction, fit = _correction(plan, found, timings)
    return replace(found, correction=correction, fit=fit)


def _rounds(runtime: str) -> int:
    return 2 if runtime.startswith(COMMAND) else clock.PASSES * clock.ROUNDS


def _piece(plan: Plan, number: int, part: Part, timings: Timings) -> Piece:
    points = tuple(_point(plan, number, part, item, timings) for item in part.sizes)
    piece = Piece(part.about, part.kind, part.tied, points)
    errors = [
        abs(float(piece.over([item.inputs], [item.outputs]).item()) / own.seconds - 1)
        for item in part.checks
        if (own := _point(plan, number, part, item, timings)).seconds > 0
    ]
    return replace(piece, error=float(np.median(errors)) if errors else 0.0)


def _point(plan: Plan, number: int, part: Part, item: Sizes, timings: Timings) -> Point:
    """A part's own time: without the pass around it, and without what fed it."""
    own, empty = timings[part_name(number, item)], timings[EMPTY]["seconds"]
    feeds = [timings[feed_name(shape)]["seconds"] - empty for shape in plan.feeds(part, item)]
    seconds = max(0.0, own["seconds"] - empty - sum(feeds))
    return Point(item.inputs, item.outputs, seconds, own["spread"])


def _correction(plan: Plan, found: LatencyTable, timings: Timings) -> tuple[Correction, Fit]:
    first = _whole(timings, "network", len(plan.networks))
    second = _whole(timings, "again", len(plan.networks))
    noise = float(np.median(np.abs(first / second - 1)))
    own = [found.pieces[number].kind for _, number in found.calls]
    kinds = sorted(set(own))
    cost = Latency(plan.template.graph, found)
    calls = np.stack([cost.per_call(kept) for kept in plan.networks])  # (networks, calls)
    sums = np.stack([calls[:, np.array(own) == kind].sum(axis=1) for kind in kinds], axis=1)
    return fit_correction(kinds, sums, (first + second) / 2, noise)


def _whole(timings: Timings, name: str, count: int) -> NDArray[np.float64]:
    return np.array([timings[f"{name}/{number}"]["seconds"] for number in range(count)])
