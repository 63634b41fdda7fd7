"""What has to be timed of a network: its parts at chosen widths, and some whole networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from amc.costs.latency import knots, reach, skeleton
from amc.granularity import Rounding, nearest
from amc.graph import Kept, Layer, PruningGraph
from experiments.latency.profiling.program import Op, Program, Shape
from experiments.latency.profiling.segments import (
    Segment,
    fed_inputs,
    feeder,
    segment_program,
    segments,
)
from experiments.latency.profiling.templates import Template

CHECKS = 6
"""Pairs of widths a part that are timed only to see how well the others tell them."""

NETWORKS = 24
"""Whole networks that the correction is fitted on; the unpruned one is among them."""

COARSE = 8
"""Every other of them keeps multiples of this."""

EMPTY, WHOLE, FEED, PART = "empty", "network/0", "feed/", "part/"


@dataclass(frozen=True)
class Sizes:
    """Kept counts at which a part has these widths."""

    inputs: int
    outputs: int
    kept: Kept

    @property
    def pair(self) -> tuple[int, int]:
        """Both widths."""
        return self.inputs, self.outputs


@dataclass(frozen=True)
class Part:
    """A segment that is timed; layers that are alike share it.

    Args:
        about: What runs, for people.
        kind: Which correction it takes.
        segment: One of the calls.
        tied: Inputs and outputs go together.
        sizes: That are timed.
        checks: That are timed to judge the others by.
    """

    about: str
    kind: str
    segment: Segment
    tied: bool
    sizes: tuple[Sizes, ...]
    checks: tuple[Sizes, ...]


@dataclass(frozen=True)
class Plan:
    """All that is timed.

    Args:
        template: Of the network.
        fed: See `experiments.latency.profiling.segments.segment_program`.
        calls: The layer and the number of its part, in the order they run.
        parts: Each once.
        networks: Kept counts of the whole networks, the unpruned one first.
        rounding: Which kept counts are measured.
        dtype: That the runtime computes in.
    """

    template: Template
    fed: bool
    calls: tuple[tuple[str, int], ...]
    parts: tuple[Part, ...]
    networks: tuple[Kept, ...]
    rounding: Rounding
    dtype: str = "float32"

    @property
    def fixed(self) -> dict[str, Any]:
        """What of a device's description is decided here."""
        shapes = self.template.program.inputs.values()
        batch = next((shape[0] for shape in shapes if shape), 1)
        return {"batch": batch, "dtype": self.dtype}

    def programs(self) -> dict[str, Callable[[], Program]]:
        """By name, what makes each program; every whole network stands there twice."""
        made: dict[str, Callable[[], Program]] = {EMPTY: _empty}
        for number, kept in enumerate(self.networks):
            for name in (f"network/{number}", f"again/{number}"):
                made[name] = lambda kept=kept: self.template.at(kept)  # type: ignore[misc]
        for number, part in enumerate(self.parts):
            for item in (*part.sizes, *part.checks):
                made[part_name(number, item)] = lambda part=part, item=item: segment_program(  # type: ignore[misc]
                    self.template, part.segment, item.kept, fed=self.fed
                )
                for shape in self.feeds(part, item):
                    made[feed_name(shape)] = lambda shape=shape: feeder(  # type: ignore[misc]
                        shape, self.template.program.opset
                    )
        return made

    def often(self, names: Iterable[str]) -> list[str]:
        """Of the programs those whose time is taken off that of many parts."""
        return [name for name in names if name == EMPTY or name.startswith(FEED)]

    def feeds(self, part: Part, item: Sizes) -> list[Shape]:
        """Shapes that a part is fed with at these sizes."""
        names = fed_inputs(self.template, part.segment) if self.fed else ()
        return [self.template.shape(name, item.kept) for name in names]


def part_name(number: int, item: Sizes) -> str:
    """The program of a part at these sizes."""
    return f"{PART}{number}/{item.inputs}x{item.outputs}"


def is_whole(name: str) -> bool:
    """Whether this program is a whole network."""
    return name.startswith(("network/", "again/"))


def feed_name(shape: Shape) -> str:
    """The program that feeds a tensor of this shape."""
    return FEED + "x".join(map(str, shape))


def _empty() -> Program:
    return Program((Op("Identity", ("input",), ("output",)),), {"input": (1,)}, ("output",), {})


def plan_of(
    template: Template,
    rounding: Rounding,
    *,
    fed: bool,
    seed: int = 0,
    networks: int = NETWORKS,
    dtype: str = "float32",
) -> Plan:
    """Decide what to time.

    Args:
        template: Of the network.
        rounding: Which kept counts a search may ask for.
        fed: See `experiments.latency.profiling.segments.segment_program`.
        seed: Of the whole networks, and of the widths that are checks.
        networks: Whole ones.
        dtype: That the runtime computes in.
    """
    chance = np.random.default_rng(seed)
    parts: dict[Any, Part] = {}
    calls = []
    for segment in segments(template):
        widths = _Widths.of(template.graph, segment.layer, rounding)
        alone = segment_program(template, segment, template.graph.full, fed=fed)
        key = (canonical(alone), *widths.key)
        if key not in parts:
            parts[key] = _part(template.graph, segment, widths, chance)
        calls.append((segment.layer, list(parts).index(key)))
    whole = tuple(_networks(template.graph.full, rounding, chance, networks))
    return Plan(template, fed, tuple(calls), tuple(parts.values()), whole, rounding, dtype)


def canonical(program: Program) -> str:
    """A text that is the same for programs that differ in the names of their tensors only."""
    names: dict[str, str] = {"": ""}
    for op in program.ops:
        for name in (*op.inputs, *op.outputs):
            names.setdefault(name, f"t{len(names)}")

    def named(tensors: Iterable[str]) -> list[str]:
        return [names[name] for name in tensors]

    ops = [
        (op.kind, named(op.inputs), named(op.outputs), sorted(op.attributes.items()))
        for op in program.ops
    ]
    shapes = sorted((names[n], s) for n, s in {**program.inputs, **program.weights}.items())
    values = sorted((names[n], value.tolist()) for n, value in program.constants.items())
    return repr((ops, shapes, values, named(program.outputs)))


Assigned = Mapping[int, int]
"""Kept counts of some groups, by their numbers."""


@dataclass(frozen=True)
class _Widths:
    """What one layer can have, with the kept counts that lead there.

    Args:
        tied: The same groups decide inputs and outputs.
        inputs: By channels read; where they are tied, none.
        outputs: By channels made.
    """

    graph: PruningGraph
    row: int
    tied: bool
    inputs: Mapping[int, Assigned]
    outputs: Mapping[int, Assigned]

    @classmethod
    def of(cls, graph: PruningGraph, layer: str, rounding: Rounding) -> _Widths:
        row, counts = graph.layer_index[layer], rounding.legal(graph.full)
        deciders = [side[row].nonzero()[0].tolist() for side in graph.width_maps]
        outs, ins = deciders
        tied = reach(graph, counts)[row].tied
        inputs = {} if tied else _by_width(graph, row, 1, _levels(graph, ins, counts))
        groups = sorted({*ins, *outs}) if tied else outs
        return cls(
            graph, row, tied, inputs, _by_width(graph, row, 0, _levels(graph, groups, counts))
        )

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Equal for layers that can have the same widths."""
        return tuple(self.inputs), tuple(self.outputs)

    def at(self, inputs: int, outputs: int) -> Sizes:
        """The sizes at two widths; where they are tied, the outputs decide."""
        kept = _kept(self.graph, {**self.inputs.get(inputs, {}), **self.outputs[outputs]})
        both = [int(side[self.row]) for side in self.graph.widths(kept)]
        return Sizes(both[1], both[0], kept)

    def anchors(self) -> Iterator[Sizes]:
        """Sizes from which all others can be told."""
        columns = knots(tuple(self.outputs))
        if self.tied:
            yield from (self.at(0, outputs) for outputs in columns)
            return
        rows = knots(tuple(self.inputs))
        whole_rows, whole_columns = skeleton(rows), skeleton(columns)
        for (i, inputs), (o, outputs) in product(enumerate(rows), enumerate(columns)):
            if i in whole_rows or o in whole_columns:
                yield self.at(inputs, outputs)

    def every(self) -> list[tuple[int, int]]:
        """All pairs of widths."""
        return list(product(self.inputs or (0,), self.outputs))


def _levels(
    graph: PruningGraph, groups: Sequence[int], counts: Sequence[Sequence[int]]
) -> list[Assigned]:
    """Counts of groups that are cut alike, from the narrowest to all units."""
    if not groups:
        return [{}]
    first = max(groups, key=lambda group: len(counts[group]))
    return [
        {**{g: nearest(counts[g], 1 - count / graph.full[first]) for g in groups}, first: count}
        for count in counts[first]
    ]


def _by_width(
    graph: PruningGraph, row: int, side: int, levels: Sequence[Assigned]
) -> dict[int, Assigned]:
    found = {int(graph.widths(_kept(graph, level))[side][row]): level for level in levels}
    return dict(sorted(found.items()))


def _kept(graph: PruningGraph, assigned: Assigned) -> Kept:
    return tuple(assigned.get(number, units) for number, units in enumerate(graph.full))


def _part(
    graph: PruningGraph, segment: Segment, widths: _Widths, chance: np.random.Generator
) -> Part:
    sizes = tuple(widths.anchors())
    known = {(item.inputs, item.outputs) for item in sizes}
    pairs = widths.every()
    drawn = [pairs[at] for at in chance.permutation(len(pairs))[: len(known) + CHECKS].tolist()]
    others = [item for pair in drawn if (item := widths.at(*pair)).pair not in known]
    layer = graph.layers[widths.row]
    about, kind = _about(layer, segment), _kind(layer)
    return Part(about, kind, segment, widths.tied, sizes, tuple(others[:CHECKS]))


def _kind(layer: Layer) -> str:
    if layer.depthwise:
        return "depthwise"
    return "pointwise" if layer.kernel and set(layer.kernel) == {1} else layer.kind


def _about(layer: Layer, segment: Segment) -> str:
    """In words: "conv 3x3 stride 2 on 28x28, Relu"."""
    words: list[str] = ["depthwise" if layer.depthwise else layer.kind]
    words += ["x".join(map(str, layer.kernel))] if layer.kernel else []
    words += [f"stride {layer.stride[0]}"] if layer.stride and max(layer.stride) > 1 else []
    words += ["on " + "x".join(map(str, layer.in_size))] if layer.in_size else []
    return ", ".join([" ".join(words), *segment.behind])


def _networks(
    full: Sequence[int], rounding: Rounding, chance: np.random.Generator, networks: int
) -> Iterator[Kept]:
    """The unpruned network, and random ones between it and the smallest."""
    yield tuple(full)
    coarse = rounding
    if not rounding.steps:
        coarse = replace(rounding, round_to=max(COARSE, rounding.round_to))
    for number in range(networks - 1):
        counts = (coarse if number % 2 else rounding).legal(full)
        level = chance.uniform()
        ratios = chance.uniform(0, level * rounding.max_ratio, len(counts)).tolist()
        yield tuple(map(nearest, counts, ratios))
