"""Ways to take out the branches that a network goes on without, each to be proved by a trial."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from amc.graph import Branch, PruningGraph, Width, lies_in
from amc.modules import absent, kinds
from amc.surgery import constant_of
from amc.tracing.branch_ends import End, caller, end_of
from amc.tracing.dependence import CONSTANT, Dependence, Node, operation

ELEMENTWISE = frozenset(
    (
        *("Relu", "Gelu", "Silu", "Sigmoid", "Tanh", "Softplus", "LeakyRelu", "Elu", "Hardtanh"),
        *("Hardswish", "Hardsigmoid", "Mish", "Mul", "Add", "Sub", "Clamp", "Pow", "Clone"),
    )
)
"""Nodes of operations that take any widths, as long as these are the same."""

LAYING_OUT = frozenset(
    (
        *("View", "UnsafeView", "ReshapeAlias", "Transpose", "Permute", "T", "Clone", "Alias"),
        *("Expand", "Squeeze", "Unsqueeze", "Slice", "Select", "NativeDropout", "ToCopy"),
        "ConstantPadNd",  # which cuts off as well
    )
)
"""Nodes of operations that change no number that is left."""

MOST = 24
"""Ways that are tried to take one branch out."""


def find_branches(
    model: nn.Module, graph: PruningGraph, seen: Dependence
) -> list[tuple[Branch, ...]]:
    """For every branch the ways to take it out, best first.

    Args:
        model: The network.
        graph: Its groups.
        seen: One of its forward passes.
    """
    ends = [end for at in range(len(graph.groups)) if (end := end_of(model, graph, seen, at))]
    together: dict[frozenset[Node], list[End]] = {}
    for end in ends:
        together.setdefault(end.meets, []).append(end)
    found, shared = [], _shared(model)
    for alike in together.values():
        ways = tuple(islice(_ways(model, graph, seen, alike, shared), MOST))
        if ways:
            found.append(ways)
    return found


def _ways(
    model: nn.Module,
    graph: PruningGraph,
    seen: Dependence,
    alike: Sequence[End],
    shared: Sequence[Sequence[str]],
) -> Iterator[Branch]:
    """Ways to take a branch out, best first."""
    # The last group's constants are the fewest.
    last = min(alike, key=lambda end: sum(kind == CONSTANT for kind in end.told.values()))
    branch = Branch(
        name="",
        groups=tuple(end.group for end in alike),
        within=(),
        layers=(),
        reader=last.reader,
        behind=(),
        width=width_of(graph, last.reader),
        form="constant",
        axis=-1,
        axes=0,
    )
    # Where the branch is no module of its own, what reads last is replaced, or what runs last.
    flat = (*reversed(_behind(model, seen, last, "")), last.reader)
    places = [
        way for name in _places(seen, last) for way in _instead(model, seen, last, branch, name)
    ]
    ways = chain(
        (way for way in places if way.form == "constant"),
        _bypasses(model, graph, seen, last, branch),
        (way for way in places if way.form == "filled"),
        *(_instead(model, seen, last, branch, name) for name in flat if name in seen.ran),
    )
    for way in ways:
        complete = _complete(graph, last, way)
        whole = set(complete.groups) <= set(complete.within)
        alone = whole and _stands_alone(model, graph, seen, last, complete, shared)
        if alone and _makes_a_constant(model, complete):
            yield complete


def _makes_a_constant(model: nn.Module, way: Branch) -> bool:
    """Whether what lies behind the last layer takes a tensor of one place."""
    try:
        constant_of(model, way)
    except Exception:  # modules may raise anything
        return False
    return True


def _shared(model: nn.Module) -> list[list[str]]:
    """The names of each parameter that has several."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [several for several in names.values() if len(several) > 1]


def _stands_alone(
    model: nn.Module,
    graph: PruningGraph,
    seen: Dependence,
    end: End,
    way: Branch,
    shared: Sequence[Sequence[str]],
) -> bool:
    """Whether what is left computes nothing of the branch any more, and shares nothing with it."""
    if any(len({way.covers(name) for name in names}) > 1 for names in shared):
        return False
    # Batch norms of a constant would divide by nothing.
    stays = (name for name in end.inside if _is_constant(seen, end, name) and not way.covers(name))
    if any(isinstance(model.get_submodule(name), _BatchNorm) for name in stays):
        return False
    passing = [name for name, _ in way.passing]
    channelwise = {x.name for x in graph.layers if x.depthwise or x.kind == "norm"}
    changing = [
        name
        for name in passing
        if any(lies_in(one, name) and one not in channelwise for one in way.layers)
    ]
    return not changing or _only_elementwise(seen, end, passing, changing)


def _only_elementwise(
    seen: Dependence, end: End, passing: Sequence[str], changing: Collection[str]
) -> bool:
    """Whether code behind modules that hand on another width than they made does not mind.

    Args:
        seen: A forward pass.
        end: Of the branch.
        passing: Modules that hand on what they read.
        changing: Those whose layers made channels of their own.
    """
    jumps = {
        node: seen.ran[name].sources
        for name in passing
        for node in seen.ran[name].nodes
        if node not in seen.ran[name].sources  # as of a module that does nothing
    }
    changed = {node for name in changing for node in seen.ran[name].nodes}
    left, told = end.left, dict[Node, bool]()
    waiting = list(seen.ran[caller(seen, end.reader)].sources)
    while waiting:
        node = waiting[-1]
        before = () if node in left else jumps.get(node, seen.sources(node))
        unknown = [one for one in before if one not in told]
        if node in told or not unknown:
            waiting.pop()
            # Whether it is, or reads, what has another width now.
            told[node] = node in changed or any(told[one] for one in before)
            plain = operation(node) in ELEMENTWISE
            if told[node] and node not in jumps and not plain:
                return False
        waiting += unknown
    return True


def _complete(graph: PruningGraph, end: End, way: Branch) -> Branch:
    """With the layers and groups that go if the branch is taken out this way."""
    layers = tuple(
        one.name for one in graph.layers if one.name in end.gone and way.covers(one.name)
    )
    within = tuple(
        at
        for at, group in enumerate(graph.groups)
        if set(group.layers) <= set(layers)
        and all(member.module in layers for member in group.members)
        and all(way.covers(part.tensor) for part in group.slices)
    )
    return replace(way, layers=layers, within=within)


def width_of(graph: PruningGraph, reader: str) -> Width:
    """Of the constant that stands in the place of a branch, by the layer it ends with."""
    row, layer = graph.layer_index[reader], graph.layers[graph.layer_index[reader]]
    each = graph.width_maps[0][row]
    parts = tuple((at, int(n)) for at, n in enumerate(each) if n)
    return Width(layer.outputs - sum(graph.full[at] * n for at, n in parts), parts)


def _places(seen: Dependence, end: End) -> list[str]:
    """Modules that hold the branch and make a constant, the outermost first."""
    holding = _holding(end.reader)
    return [
        name
        for name in holding
        if name in seen.ran and name in end.inside and _is_constant(seen, end, name)
    ]


def _holding(name: str) -> list[str]:
    """The modules that another one lies in, the outermost first, not the network itself."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _is_constant(seen: Dependence, end: End, name: str) -> bool:
    return all(end.told.get(node) == CONSTANT for node in seen.ran[name].nodes)


def _behind(model: nn.Module, seen: Dependence, end: End, inside: str) -> tuple[str, ...]:
    """Modules that run as one and make constants of the reader's, in the order they ran."""
    names = list(seen.ran)
    after = names[names.index(caller(seen, end.reader)) + 1 :]
    return tuple(
        name
        for name in after
        if name in end.inside
        and _is_constant(seen, end, name)
        and _runs_as_one(model, name)
        and (not inside or lies_in(name, inside))
    )


def _runs_as_one(model: nn.Module, name: str) -> bool:
    """Whether a module is one step: no other inside, or a norm with its activation; not a part."""
    known = [kinds.kind_of(model.get_submodule(one)) is not None for one in _holding(name)]
    module = model.get_submodule(name)
    own = kinds.kind_of(module) is not None or not any(module.children())
    return own and not any(known)


def _instead(
    model: nn.Module, seen: Dependence, end: End, branch: Branch, name: str
) -> Iterator[Branch]:
    """A constant in the place of one module."""
    ran = seen.ran[name]
    if ran.returns < 0 or len(ran.nodes) != 1:
        return
    after = _behind(model, seen, end, "")
    if not _runs_as_one(model, name):
        after = tuple(one for one in after if lies_in(one, name))
    else:
        after = after[: after.index(name) + 1] if name in after else ()
    passing = _passing(seen, end, name)
    if passing is None:
        return
    shape = ran.shapes[0]
    for axis in _axes(model, branch, shape):
        unsure = any(size == 1 for at, size in enumerate(shape) if at - len(shape) != axis)
        for behind in dict.fromkeys((after, ())):
            if not _is_made(seen, end, behind, ran.nodes[0]):
                continue
            way = replace(
                branch,
                name=name,
                behind=behind,
                axis=axis,
                axes=len(shape),
                returns=ran.returns,
                passing=passing,
            )
            filled = [replace(way, form="filled")] if len(ran.read) == len(shape) else []
            if not end.spreads:
                yield from filled if _fills(seen, way, shape) else ()
                continue
            # One place may be all that there is, or all that these inputs have.
            yield from [*filled, way] if unsure else [way, *filled]


def _is_made(seen: Dependence, end: End, behind: Sequence[str], node: Node) -> bool:
    """Whether a node is what the last of these modules made, at most laid out otherwise."""
    last = seen.ran[behind[-1] if behind else caller(seen, end.reader)].nodes
    while node not in last and operation(node) in LAYING_OUT:
        before = seen.sources(node)
        if not before:
            return False
        node = before[0]
    return node in last


def _fills(seen: Dependence, way: Branch, shape: tuple[int, ...]) -> bool:
    """Whether what the branch reads has as many places as it makes."""
    names = {way.name, *(name for name, _ in way.passing)}
    read = next(seen.ran[name].read for name in seen.ran if name in names)
    channels = way.axis % len(shape)
    return len(read) == len(shape) and all(
        one == two for at, (one, two) in enumerate(zip(read, shape, strict=True)) if at != channels
    )


def _axes(model: nn.Module, branch: Branch, shape: tuple[int, ...]) -> list[int]:
    """Axes that may have the constant's channels, from the last."""
    reader = model.get_submodule(branch.reader)
    channels = kinds.channels(reader, "out")
    own = kinds.channel_axis(reader, shape) - len(shape)
    fitting = [at - len(shape) for at, size in enumerate(shape) if size == channels]
    return sorted(fitting, key=lambda axis: (axis != own, axis))


def _passing(seen: Dependence, end: End, name: str) -> tuple[tuple[str, int], ...] | None:
    """The outermost other modules that are gone, with what they return; None where one cannot."""
    found: list[tuple[str, int]] = []
    for other in sorted(end.inside):
        here = lies_in(other, name) or lies_in(name, other)
        # What makes a constant of the constant stays, and makes it.
        if here or (_is_constant(seen, end, other) and _follows(seen, end, other)):
            continue
        if any(lies_in(other, outer) for outer, _ in found):
            continue
        if seen.ran[other].returns < 0:
            return None
        found.append((other, seen.ran[other].returns))
    return tuple(found)


def _follows(seen: Dependence, end: End, name: str) -> bool:
    names = list(seen.ran)
    return names.index(name) > names.index(caller(seen, end.reader))


def _bypasses(
    model: nn.Module, graph: PruningGraph, seen: Dependence, end: End, branch: Branch
) -> Iterator[Branch]:
    """The smallest module that holds all of the branch, its sum included, doing the sum alone."""
    block = next((name for name in _common(end.gone) if name not in end.inside), "")
    if not block or not end.sums or block not in seen.ran:
        return
    ran, own = seen.ran[block], model.get_submodule(block)
    others = {x.name for x in graph.layers if x.name.startswith(f"{block}.")} - end.gone
    if ran.returns or len(ran.nodes) != 1 or len(ran.read) != len(ran.shapes[0]):
        return
    children = [name for name, _ in own.named_children() if f"{block}.{name}" in seen.ran]
    shortcuts = [""] if not others and ran.read == ran.shapes[0] else []
    shortcuts += [
        name
        for name in children
        if others
        and f"{block}.{name}" not in end.inside
        and all(lies_in(x, f"{block}.{name}") for x in others)
        and seen.ran[f"{block}.{name}"].shapes[0] == ran.shapes[0]
    ]
    behind = _behind(model, seen, end, block)
    if not all(_is_made(seen, end, behind, node) for node in end.meets):
        return
    for shortcut in shortcuts:
        for activation in _last(seen, own, block, children, end):
            for axis in _axes(model, branch, ran.shapes[0]):
                yield replace(
                    branch,
                    name=block,
                    behind=behind,
                    form="bypass",
                    axis=axis,
                    axes=len(ran.shapes[0]),
                    shortcut=shortcut,
                    activation=activation,
                )


def _last(
    seen: Dependence, own: nn.Module, block: str, children: Sequence[str], end: End
) -> list[str]:
    """What may run last in a block that adds a branch; empty for the sum itself."""
    (node,) = seen.ran[block].nodes
    if node in end.sums:
        return [""]
    ran = [
        name
        for name in children
        if node in seen.ran[f"{block}.{name}"].nodes and f"{block}.{name}" not in end.inside
        if not list(own.get_submodule(name).parameters())
    ]
    return [*reversed(ran), *([absent.RELU] if node.name().startswith("Relu") else [])]


def _common(names: Collection[str]) -> list[str]:
    """The modules in which all of these lie, the smallest first."""
    first, *others = [_holding(name) for name in names]
    return [name for name in reversed(first) if all(name in one for one in others)]
