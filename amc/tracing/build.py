"""Tracing: from a network to its layers and its groups of channels that must go together.

The channels are followed through one forward pass (`amc.tracing.tracer`); what may be cut is
proposed (`amc.tracing.couplings`) and verified by cutting a copy (`amc.tracing.verification`). The
result is plain picklable data: everything after this file works on that alone.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from torch import Tensor, nn

from amc.graph import NUMBER_BYTES, Branch, Fixed, Group, Layer, PruningGraph
from amc.modules import Inputs, duplicate, kinds, shapes, tensors, unwrapped
from amc.surgery import tensor_of
from amc.tracing.activations import activations
from amc.tracing.candidates import candidate
from amc.tracing.couplings import ALL_OR_NONE, Block, blocks
from amc.tracing.forward import Call, Trace
from amc.tracing.products import loose, products
from amc.tracing.proof import prove
from amc.tracing.revealing import revealing, tried_on
from amc.tracing.tracer import trace_channels
from amc.tracing.trials import Trial
from amc.tracing.units import group_units


class GraphError(ValueError):
    """A network that cannot be traced or has nothing to prune."""


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """While this runs, of what is there before: to look through it is a tenth of the time."""
    if gc.get_freeze_count():  # by somebody who has to say when that ends
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@_nothing_is_garbage()
def trace(model: nn.Module, example_inputs: Inputs, *, exclude: Sequence[str] = ()) -> PruningGraph:
    """Find the layers and groups of `model`, which is left untouched.

    Every group is verified: a copy of the network that is cut at random ratios computes the same as
    one with the same channels at zero. What cannot be cut safely is left alone, with the reason.

    Args:
        model: Any network whose forward pass runs.
        example_inputs: One tensor (batch, ...), a tuple of the forward's arguments, or a mapping of
            those by name; `amc.Calls` of several such, where one call does not run everything.
        exclude: Shell patterns of layers (such as "stem.*") whose output channels all stay.

    Raises:
        GraphError: if the forward pass fails or returns no numbers, a pattern matches no layer, or
            nothing can be pruned; if a module lacks what `amc.register` says of it.
    """
    model, forward, layers = _run(model, example_inputs)
    by_hand = _matching(layers, exclude)
    reasons = dict.fromkeys(by_hand, "excluded by hand")
    candidates, makers = [], forward.flow.makers
    for block in blocks(forward.flow):
        ways = [groups for units in block.ways if (groups := group_units(units, layers, makers))]
        if shut := block.layers & by_hand:
            _explain(reasons, block, f"it goes together with {min(shut)}, excluded by hand")
        elif ways:
            candidates.append(candidate(model, block, ways))
        else:
            _explain(reasons, block, block.reason or ALL_OR_NONE)
    shown = revealing(example_inputs)
    tried = tried_on(model, shown)
    training = bool(forward.in_training)
    trial = Trial(tried, layers, shown, trains=training, chooses=forward.chooses)
    proved = prove(trial, candidates, reasons, forward.in_training)
    graph = replace(
        _graph(layers, proved.groups, proved.reasons, _others(forward)),
        branches=proved.branches,
        overwriting=forward.overwriting,
        exclude=tuple(exclude),
    )
    return _with_costs(graph, model, forward, example_inputs)


def survey(
    model: nn.Module, example_inputs: Inputs, *, exclude: Sequence[str] = ()
) -> PruningGraph:
    """The layers of `model` without any groups of channels: what granularities that mask need.

    Args:
        model: As for `trace`.
        example_inputs: As for `trace`.
        exclude: Shell patterns of layers to leave whole; they, and layers whose weight is not one
            parameter of their own, are among the graph's `fixed`.

    Raises:
        GraphError: if the forward pass fails or returns no numbers, or a pattern matches no layer.
    """
    model, forward, layers = _run(model, example_inputs)
    reasons = {**_without_weight(model, layers), **kinds.shared(model), **kinds.frozen(model)}
    reasons |= dict.fromkeys(_matching(layers, exclude), "excluded by hand")
    weighted = [layer.name for layer in layers if layer.kind != "norm"]
    whole = tuple(Fixed(name, reasons[name]) for name in weighted if name in reasons)
    fixed = (*whole, *_others(forward))
    graph = PruningGraph(layers, (), fixed, overwriting=forward.overwriting, exclude=tuple(exclude))
    return _with_costs(graph, model, forward, example_inputs)


def _run(model: nn.Module, inputs: Inputs) -> tuple[nn.Module, Trace, tuple[Layer, ...]]:
    """A copy of the network in evaluation mode, what its forward pass showed, and its layers."""
    model = duplicate(unwrapped(model)).eval()
    if wrong := kinds.misdeclared(model):
        raise GraphError(wrong)
    forward = _trace_channels(model, inputs)
    layers = [_layer(model, name, call, forward) for name, call in forward.calls.items()]
    return model, forward, tuple(_without_shared(model, layers))


def _without_shared(model: nn.Module, layers: Iterable[Layer]) -> Iterator[Layer]:
    """Layers whose weight, or numbers for each output, are those of one before say so."""
    seen: set[int] = set()
    for layer in layers:
        if layer.kind == "own":
            yield layer
            continue
        module = model.get_submodule(layer.name)
        own = list(module.parameters(recurse=False))
        weight = kinds.weight_of(module)
        again = sum(one.dim() == 1 for one in own if id(one) in seen)
        shared = weight is not None and id(weight) in seen
        yield replace(layer, shared=shared, extra=layer.extra - again)
        seen |= {id(one) for one in own}


def _without_weight(model: nn.Module, layers: Iterable[Layer]) -> dict[str, str]:
    """Layers without a parameter called weight, which is what a mask holds."""
    plain = {name for name, _ in model.named_parameters()}
    return {
        layer.name: "its weights are not one parameter called weight of a known kind of module"
        for layer in layers
        if layer.kind == "own" or (layer.kind != "norm" and f"{layer.name}.weight" not in plain)
    }


def _trace_channels(model: nn.Module, inputs: Inputs) -> Trace:
    try:
        forward = trace_channels(model, inputs, kinds.frozen(model))
    except Exception as error:
        raise GraphError(
            f"the network's forward pass fails on example inputs of shape {shapes(inputs)}: "
            f"{type(error).__name__}: {error}".partition("\n")[0]
        ) from error
    if not any(tensor.is_floating_point() for tensor in forward.outputs):
        raise GraphError(
            "the network returns no floating-point tensors, so that a cut cannot be checked; "
            "return logits or features"
        )
    return forward


def _layer(model: nn.Module, name: str, call: Call, forward: Trace) -> Layer:
    if call.tensor:
        return _own_layer(model, name, call, forward)
    module: Any = model.get_submodule(name)
    kind = kinds.known_kind(module)
    is_conv = kind.layer == "conv"
    kernel = tuple(module.kernel_size) if is_conv else ()
    over = forward.over(name) if kind.layer in ("linear", "conv") else ""
    each = kinds.channels(model.get_submodule(over), "out") if over else 1
    return Layer(
        name,
        kind.layer,
        kinds.channels(module, "out"),
        kinds.channels(module, "in"),
        kinds.groups_of(module),
        kernel,
        tuple(module.stride) if is_conv else (),
        call.in_size,
        _whole(call.positions / each),
        area=0 if kind.layer == "norm" else prod(kernel),
        extra=kinds.extra(module),
        extra_inputs=kinds.extra_inputs(module),
        norm=forward.norms.get(name),
        activation=forward.activations.get(name),
        over=over,
        statistics=kinds.statistics(module),
        computed=name in forward.computed,
        read=_whole(call.read / each),
        written=_whole(call.written / each),
    )


def _own_layer(model: nn.Module, name: str, call: Call, forward: Trace) -> Layer:
    shape, flow = tensor_of(model, call.tensor).shape, forward.flow
    made = {axis for tensor, axis in flow.makers if tensor == call.tensor}
    outputs = (len(set(flow.elements[call.tensor, axis].tolist())) for axis in made)
    inputs = (size for axis, size in enumerate(shape) if axis not in made)
    widths = max(outputs, default=1), max(inputs, default=1)
    return Layer(name, "own", *widths, in_size=call.in_size)


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number


def _matching(layers: Iterable[Layer], patterns: Sequence[str]) -> frozenset[str]:
    """Layers that match a pattern."""
    if isinstance(patterns, str):
        raise GraphError(f"exclude is {patterns!r}; give a list of patterns, as in [{patterns!r}]")
    names = [layer.name for layer in layers]
    found: set[str] = set()
    for pattern in patterns:
        matching = {name for name in names if fnmatchcase(name, pattern)}
        if not matching:
            close = get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:3]
            raise GraphError(
                f"no layer matches the excluded pattern {pattern!r}; "
                f"similar layers are {', '.join(close)}"
            )
        found |= matching
    return frozenset(found)


def _explain(reasons: dict[str, str], block: Block, reason: str) -> None:
    for name in block.layers:
        reasons.setdefault(name, reason)


def _others(forward: Trace) -> tuple[Fixed, ...]:
    """Modules that no layer stands for, with the reason why nothing of them goes."""
    return tuple(Fixed(name, "it did not run on the example inputs") for name in forward.silent)


def _graph(
    layers: tuple[Layer, ...],
    groups: tuple[Group, ...],
    reasons: Mapping[str, str],
    others: tuple[Fixed, ...],
) -> PruningGraph:
    made = {name for group in groups for name in group.layers}
    whole = [layer.name for layer in layers if layer.kind != "norm" and layer.name not in made]
    fixed = tuple(Fixed(name, reasons.get(name, ALL_OR_NONE)) for name in whole)
    if not groups:
        why = "; ".join(f"{item.name}: {item.reason}" for item in fixed) or "no layers"
        raise GraphError(
            f"the network has nothing that can be pruned ({why}); a layer can be cut where another "
            "one reads its outputs (docs/architectures.md), and --granularity element needs no cut"
        )
    return PruningGraph(layers, groups, (*fixed, *others))


def _with_costs(
    graph: PruningGraph, model: nn.Module, forward: Trace, inputs: Inputs
) -> PruningGraph:
    """The graph with what its costs need beside the layers."""
    weights = sum(
        (0 if layer.shared else layer.weights)
        + layer.extra * layer.outputs
        + layer.extra_inputs * layer.inputs
        for layer in graph.layers
    )
    statistics = sum(layer.statistics * layer.outputs for layer in graph.layers)
    shrinking, stored = loose(model, graph.groups), model.state_dict()
    parameters = dict(model.named_parameters(remove_duplicate=False))
    params = tuple(one for one in shrinking if one.name in parameters)
    buffers = tuple(one for one in shrinking if one.name in stored and one not in params)
    trained = sum(parameters[one.name].numel() for one in params)
    kept = sum(stored[one.name].numel() for one in buffers)
    return replace(
        graph,
        branches=tuple(_with_others(model, graph, graph.branches)),
        products=products(forward, graph.groups),
        uncounted=forward.uncounted,
        loose_params=params,
        loose_buffers=buffers,
        other_params=sum(one.numel() for one in model.parameters()) - weights - trained,
        other_bytes=_stored_bytes(model) - NUMBER_BYTES * (weights + statistics + trained + kept),
        activations=activations(model, graph, inputs),
    )


def _with_others(
    model: nn.Module, graph: PruningGraph, branches: Sequence[Branch]
) -> Iterator[Branch]:
    """Each with what it takes along that no layer and no group has."""
    state = model.state_dict(keep_vars=True)
    known = {part.tensor for group in graph.groups for part in group.slices}
    layers = [model.get_submodule(x.name) for x in graph.layers if x.kind != "own"]
    counted = {id(one) for module in layers for one in module.parameters(recurse=False)}
    counted |= {id(one) for module in layers for one in _statistics(module)}
    left = {name: one for name, one in state.items() if id(one) not in counted}
    parameters = dict(model.named_parameters())
    for branch in branches:
        beside = {id(tensor) for name, tensor in left.items() if not branch.covers(name)}
        others = {
            name: tensor
            for name, tensor in left.items()
            if branch.covers(name) and name not in known and id(tensor) not in beside
        }
        yield replace(
            branch,
            other_params=sum(one.numel() for name, one in others.items() if name in parameters),
            other_bytes=sum(map(_bytes, others.values())),
        )


def _statistics(module: nn.Module) -> list[Tensor]:
    return [buffer for buffer in module.buffers(recurse=False) if buffer.dim() == 1]


def _bytes(tensor: Tensor) -> int:
    each = NUMBER_BYTES if tensor.is_floating_point() else tensor.element_size()
    return tensor.numel() * each


def _stored_bytes(model: nn.Module) -> int:
    """Of the whole state dict, tensors that are shared once."""
    state = tensors(model.state_dict(keep_vars=True))
    each = {(tensor.data_ptr(), tensor.shape): tensor for tensor in state}
    return sum(map(_bytes, each.values()))
