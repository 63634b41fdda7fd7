"""From a plan over timings to a table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import onnx
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
from experiments.latency.profiling.known import Known, anchors_of, at_this_pace, mark_of
from experiments.latency.profiling.plan import (
    EMPTY,
    NETWORKS,
    PART,
    WHOLE,
    Part,
    Plan,
    Sizes,
    feed_name,
    is_whole,
    part_name,
)
from experiments.latency.profiling.program import Program, to_json, to_onnx
from experiments.settings import COMMAND

Timings = Mapping[str, clock.Timing]


@dataclass(frozen=True)
class Runtime:
    """What differs between runtimes beside how `clock` loads a program.

    Args:
        form: A program in the form that it is given.
        form_of_model: The same of an ONNX model; None where that goes by way of a program.
        fed: It lays tensors out as it likes between layers, so that parts have to be fed.
        parts: The runtime that parts are timed in, where it is another than that of whole networks.
        networks: Whole networks that are timed.
        dtype: That it computes in.
    """

    form: Callable[[Program], bytes]
    form_of_model: Callable[[onnx.ModelProto], bytes] | None
    fed: bool
    parts: str = ""
    networks: int = NETWORKS
    dtype: str = "float32"


def _serialised(model: onnx.ModelProto) -> bytes:
    made: bytes = model.SerializeToString()
    return made


def _in_bytes(model: onnx.ModelProto) -> bytes:
    from experiments.latency.profiling.quantising import noise, quantised

    return quantised(model, [noise(model)])


COMPILED = 8
"""Whole networks that are compiled for a table: each takes PyTorch a while."""

_FLOATS = Runtime(lambda program: _serialised(to_onnx(program)), _serialised, fed=True)
_BYTES = Runtime(lambda program: _in_bytes(to_onnx(program)), _in_bytes, fed=True, dtype="int8")
RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": _FLOATS,
    "onnxruntime-cuda": _FLOATS,
    "onnxruntime-int8": _BYTES,
    "openvino": _FLOATS,
    "openvino-int8": _BYTES,
    "torch": Runtime(to_json, None, fed=False),
    "torch-compile": Runtime(to_json, None, fed=False, parts="torch", networks=COMPILED),
    "torch-cuda": Runtime(to_json, None, fed=False),
}
"""Short names; a command is given what onnxruntime is."""


def runtime_of(name: str) -> Runtime:
    """That of a short name or of a command."""
    return RUNTIMES["onnxruntime" if name.startswith(COMMAND) else name]


def payload(program: Program, runtime: str) -> bytes:
    """A program in the form that a runtime is given."""
    return runtime_of(runtime).form(program)


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
    known: Known | None = None,
) -> Answer:
    """Time a plan on this machine, or by a command.

    Args:
        plan: What is timed.
        runtime: Short name, or a command.
        threads: That it may use.
        said: Told how many programs are done.
        seconds: See `experiments.latency.clock.measure` and `measure_by`.
        notes: Where a command's answers are kept; see `measure_by`.
        say: Told what a command failed at.
        known: Times of earlier profiles on this machine, which are taken and added to.
    """
    # Each is asked for in every pass, and by its mark.
    programs = {name: cache(make) for name, make in plan.programs().items()}
    start = time.perf_counter()
    parts = runtime_of(runtime).parts or runtime

    def made(name: str) -> bytes:
        return payload(programs[name](), runtime)

    # In 8-bit integers they are small, and take longer to be made than to run.
    formed = cache(made) if runtime_of(runtime).dtype == "int8" else made

    def ready(name: str) -> clock.Run:
        return clock.load(runtime if is_whole(name) else parts, formed(name), threads)

    if command := commanded.Command.of(runtime, threads):
        each = {name: partial(formed, name) for name in programs}
        timings, unsteady = measure_by(command, each, WHOLE, notes, said, say, seconds)
    else:

        def timed(names: Sequence[str]) -> tuple[dict[str, clock.Timing], float]:
            with own_threads():
                often = plan.often(names)
                return clock.measure(names, ready, WHOLE, said, often, seconds)

        timings, unsteady = (
            timed(list(programs)) if known is None else _beside(known, programs, timed)
        )
    device = Device(**commanded.device(runtime, threads), **plan.fixed)
    return Answer(device, timings, unsteady, time.perf_counter() - start)


def _beside(
    known: Known,
    programs: Mapping[str, Callable[[], Program]],
    timed: Callable[[Sequence[str]], tuple[dict[str, clock.Timing], float]],
) -> tuple[dict[str, clock.Timing], float]:
    """Times of all programs, of which parts that are known are timed only to see the pace."""
    marks = {name: mark_of(make()) for name, make in programs.items() if name.startswith(PART)}
    old = known.times(marks)
    again = set(anchors_of(list(old)))
    found, unsteady = timed([name for name in programs if name in again or name not in old])
    rest = at_this_pace(old, found)
    if rest is None:
        left = [WHOLE, *(name for name in old if name not in found)]
        more, other = timed(left) if len(left) > 1 else ({}, unsteady)
        found, unsteady, rest = {**more, **found}, max(unsteady, other), {}
    known.keep(marks, found)
    return {name: {**rest, **found}[name] for name in programs}, unsteady


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
