"""What each operation of PyTorch does to the labels of its tensors.

Operations that rearrange elements are applied to the labels themselves. What is not known refuses
the channels that meet it, so that they are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from amc.modules import arguments, operation_name, operations, tensors
from amc.tracing.flow import Flow
from amc.tracing.labels import Planes, align, along, compact, varying

Rule = Callable[[Flow, Any, Mapping[str, Any], list[Tensor]], None]
"""Gives the outputs their labels, from the operation and its arguments by name."""

SAME = {"clone", "contiguous", "_to_copy", "alias", "detach", "lift_fresh", "bernoulli", "dropout"}
VIEWS = {
    *("view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "expand"),
    *("slice", "select", "squeeze", "unsqueeze", "flip", "roll", "repeat", "index", "unfold"),
    *("index_select", "gather", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col"),
    *("native_channel_shuffle", "constant_pad_nd", "split", "split_with_sizes", "unbind", "chunk"),
    *("unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes", "movedim", "diagonal", "rot90"),
    *("repeat_interleave", "reflection_pad1d", "reflection_pad2d", "replication_pad1d"),
    *("replication_pad2d", "upsample_nearest1d", "upsample_nearest2d"),
}
SPLITS = {name for name in VIEWS if "split" in name or "chunk" in name}
PRODUCTS = {"mm": "self mat2", "bmm": "self mat2", "matmul": "self other"}
SUMMED_PRODUCTS = {"addmm": "self mat1 mat2", "baddbmm": "self batch1 batch2"}
ATTENTIONS = {
    "scaled_dot_product_attention",
    *(
        f"_scaled_dot_product_{how}"
        for how in (
            *("attention_math", "attention_math_for_mps", "flash_attention", "cudnn_attention"),
            *("flash_attention_for_cpu", "efficient_attention", "fused_attention_overrideable"),
        )
    ),
}

RULES: dict[str, Rule] = {}
"""By an operation's name, without the underscore of those that overwrite; `_other` for the rest."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of the operations of these names."""

    def registered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return registered


def propagate(
    flow: Flow, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any
) -> None:
    """Label what one call of an operation returned."""
    found, given = tensors(out), arguments(function, args, kwargs)
    planes = [plane for tensor in tensors(given) for plane in flow.planes(tensor)]
    if planes and found:
        try:
            RULES.get(operation_name(function), _other)(flow, function, given, found)
        except (RuntimeError, IndexError):  # shapes that the rule did not expect
            flow.refuse(planes, _unknown(operation_name(function)))
    elif found and function._schema.is_mutable:
        flow.label(found[0], ())


@rule(*SAME)
def _keep(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    flow.label(out[0], flow.planes(tensors(given)[0]))


@rule(*VIEWS)
def _rearrange(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    source = tensors(given)[0]
    moved = [_move(function, given, source, plane) for plane in flow.planes(source)]
    name = operation_name(function)
    for number, target in enumerate(out):
        flow.label(target, [compact(parts[number]) for parts in moved])
    for plane, parts in zip(flow.planes(source), moved, strict=True):
        small = [compact(part) for part in parts]
        _note_factoring(flow, plane, small)
        if "channel_shuffle" in name and 1 in varying(plane):
            flow.factorings.append(plane.transpose(0, 1).reshape(given["groups"], -1))
        axis = int(given.get("dim", 0)) % source.dim()
        kept = [part for part in small if part is not None]
        if name in SPLITS and axis in varying(plane) and len(kept) == len(parts):
            flow.tie_parts(kept, axis)
        shorter = out[0].dim() == source.dim() and out[0].shape[axis] < source.shape[axis]
        if name == "slice" and axis in varying(plane) and small[0] is not None and shorter:
            flow.slice(source, axis, small[0])


def _move(function: Any, given: Mapping[str, Any], source: Tensor, plane: Tensor) -> list[Tensor]:
    """The outputs that the operation has for the labels themselves."""
    full = plane.expand(source.shape)
    first = next(key for key, value in given.items() if value is source)
    name = operation_name(function)
    if name in ("view", "_unsafe_view", "reshape", "_reshape_alias"):
        return [full.reshape(given["size"])]
    # Padding has no label.
    others = {key: _beside(value) for key, value in given.items()}
    changed = {**others, first: full, **({"value": 0.0} if "pad_nd" in name else {})}
    return tensors(function(**changed))


def _beside(value: Any) -> Any:
    """Tensors of positions, where the labels are."""
    if isinstance(value, list | tuple):
        return [_beside(item) for item in value]
    return value.cpu() if isinstance(value, Tensor) else value


def _note_factoring(flow: Flow, plane: Tensor, parts: list[Tensor | None]) -> None:
    for part in parts:
        if part is not None and len(varying(part)) > max(1, len(varying(plane))):
            flow.factorings.append(part.squeeze())


@rule("constant_pad_nd")
def _pad(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """Places without a label make no labels of channels vary along other axes."""
    source, pad = given["self"], given["pad"]
    padded = {source.dim() - 1 - at // 2 for at, size in enumerate(pad) if size}
    if any(padded & varying(plane) for plane in flow.planes(source)):
        _rearrange(flow, function, given, out)
    else:
        flow.label(out[0], flow.planes(source))


@rule(*operations.REDUCTIONS)
def _sum(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    source = given["self"]
    asked = given.get("dim")
    every = range(source.dim())
    dims = list(every) if asked is None or asked == [] else asked
    gone = {dim % source.dim() for dim in (dims if isinstance(dims, list | tuple) else [dims])}
    for axis in gone:
        flow.over(operation_name(function), source, axis)
    left = [flow.residue(plane, gone) for plane in flow.planes(source)]
    if out[0].dim() < source.dim():
        shape = [axis for axis in every if axis not in gone]
        left = [p if p is None else p.reshape([p.shape[axis] for axis in shape]) for p in left]
    for target in out:
        if target.dim() == out[0].dim():
            flow.label(target, left)


@rule(*operations.SOFTMAXES)
def _share(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    source = given["self"]
    flow.over(operation_name(function), source, given["dim"] % source.dim())
    flow.label(out[0], flow.planes(source))


@rule(*operations.LAYER_NORMS)
def _norm_last(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    source, last = given["input"], len(given["normalized_shape"])
    for axis in range(source.dim() - last, source.dim()):
        flow.over(operation_name(function), source, axis)
    scales = [
        align(p, source.dim()) for key in ("weight", "bias") for p in _planes(flow, given[key])
    ]
    flow.label(out[0], flow.merge([*flow.planes(source), *scales]))


@rule(*operations.BATCH_NORMS)
def _norm_batch(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """Of weights too, which some layers standardise before they use them."""
    source = given["input"]
    for axis in {*range(source.dim())} - {1}:
        flow.over(operation_name(function), source, axis)
    keys = ("weight", "bias", "running_mean", "running_var")
    scales = [p for key in keys for p in _planes(flow, given.get(key))]
    aligned = [along(plane.flatten(), 1, source.dim()) for plane in scales]
    flow.label(out[0], flow.merge([*flow.planes(source), *aligned]))


def _planes(flow: Flow, tensor: Any) -> Planes:
    return flow.planes(tensor) if isinstance(tensor, Tensor) else ()


@rule(*PRODUCTS)
def _multiply(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    left, right = (given[name] for name in PRODUCTS[operation_name(function)].split())
    flow.label(out[0], _product(flow, flow.planes(left), flow.planes(right), out[0].dim()))


@rule(*SUMMED_PRODUCTS)
def _multiply_and_add(
    flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]
) -> None:
    added, left, right = (given[name] for name in SUMMED_PRODUCTS[operation_name(function)].split())
    product = _product(flow, flow.planes(left), flow.planes(right), out[0].dim())
    flow.label(out[0], flow.merge([*product, *flow.planes(added)]))


def _product(
    flow: Flow, left: tuple[Tensor, ...], right: tuple[Tensor, ...], axes: int
) -> list[Tensor]:
    """Labels of a (batched) product of matrices."""
    rows, columns = axes - 2, axes - 1
    left = tuple(align(plane, axes) for plane in left)
    right = tuple(align(plane, axes) for plane in right)
    # The axis that is summed over: the last on the left, the one before on the right.
    summed = [(p, rows) for p in left if columns in varying(p)]
    summed += [(p.transpose(-1, -2), rows) for p in right if rows in varying(p)]
    for plane, _ in summed:
        for other, _ in summed:
            flow.atoms.tie(plane.narrow(rows, 0, 1), other)
            flow.atoms.tie(plane, plane.narrow(rows, 0, 1))
    left_over = [flow.residue(p, (rows, columns)) for p, _ in summed]
    left_over += [p for p in left if columns not in varying(p)]
    left_over += [p for p in right if rows not in varying(p)]
    return flow.merge(p for p in left_over if p is not None)


@rule(*ATTENTIONS)
def _attend(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    query, key, value = (given[name] for name in ("query", "key", "value"))
    axes, shared = query.dim(), query.shape[-3] // key.shape[-3]
    turned = tuple(p.transpose(-1, -2) for p in _for_each_head(flow.planes(key), shared))
    scores = _product(flow, flow.planes(query), turned, axes)
    bias = given.get("attn_mask", given.get("attn_bias"))
    if isinstance(bias, Tensor):
        scores = flow.merge([*scores, *flow.planes(bias)])
    values = _for_each_head(flow.planes(value), shared)
    flow.label(out[0], _product(flow, tuple(scores), values, axes))


def _for_each_head(planes: Planes, shared: int) -> Planes:
    """Labels of keys or values that so many heads in a row share, for each of those heads."""
    return tuple(
        plane.repeat_interleave(shared, -3) if plane.shape[-3] > 1 and shared > 1 else plane
        for plane in planes
    )


@rule(*operations.CONVOLUTIONS)
def _convolve(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """With a weight that the network's own code hands over; inside of a module none is seen."""
    read, weight, bias = given["input"], given["weight"], given["bias"]
    alone = given["groups"] == read.shape[1] == out[0].shape[1] > 1
    reads, makes = (0, 1) if given["transposed"] else (1, 0)
    reads, makes = (0, 0) if alone else (reads, makes)
    mixed = any(varying(plane) - {1} for plane in flow.planes(read))
    if mixed or (given["groups"] > 1 and not alone):
        planes = [*flow.planes(read), *flow.planes(weight)]
        flow.refuse(planes, _unknown("a convolution of groups"))
        return
    into = [_labels_along(plane, reads) for plane in flow.planes(weight) if reads in varying(plane)]
    for plane in flow.planes(read):
        if not into:
            flow.refuse((plane,), _unknown("convolution"))
        for labels in into:
            flow.atoms.tie(_labels_along(plane, 1), labels)
    made = [_labels_along(plane, makes) for plane in flow.planes(weight) if makes in varying(plane)]
    if isinstance(bias, Tensor):
        made += [_labels_along(plane, 0) for plane in flow.planes(bias)]
    flow.label(out[0], flow.merge(along(labels, 1, out[0].dim()) for labels in made))


def _labels_along(plane: Tensor, axis: int) -> Tensor:
    """(size,) labels of a plane that changes along one axis."""
    return plane.movedim(axis, 0).reshape(plane.shape[axis], -1)[:, 0]


@rule("embedding")
def _look_up(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    own = [plane for plane in flow.planes(given["weight"]) if 1 in varying(plane)]
    flow.label(out[0], [align(plane[:1], out[0].dim()) for plane in own])


@rule("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided")
def _make(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """Takes the type of numbers alone from what it is called on."""
    flow.label(out[0], ())


@rule("cat")
def _join(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    axis = int(given.get("dim", 0)) % out[0].dim()
    parts = [part for part in given["tensors"] if part.dim() == out[0].dim()]
    across = [[p for p in flow.planes(part) if axis not in varying(p)] for part in parts]
    joined = flow.merge(plane for planes in across for plane in planes)
    columns = [[p for p in flow.planes(part) if axis in varying(p)] for part in parts]
    if any(len(planes) > 1 for planes in columns):
        flow.refuse((p for planes in columns for p in planes), _unknown("cat"))
    elif any(columns):
        joined.append(_side_by_side(parts, columns, axis))
    flow.label(out[0], joined)


def _side_by_side(parts: list[Tensor], columns: list[list[Tensor]], axis: int) -> Tensor:
    """One plane from each part's own, of which some have none."""
    shape = [1] * parts[0].dim()
    for planes in columns:
        for plane in planes:
            shape = [max(size, own) for size, own in zip(shape, plane.shape, strict=True)]
    laid = []
    for part, planes in zip(parts, columns, strict=True):
        size = [part.shape[axis] if at == axis else most for at, most in enumerate(shape)]
        plane = planes[0] if planes else torch.zeros([1] * len(size), dtype=torch.float64)
        laid.append(plane.expand(size))
    return torch.cat(laid, axis)


@rule("stack")
def _stack(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    axis = int(given.get("dim", 0)) % out[0].dim()
    planes = [p.unsqueeze(axis) for part in given["tensors"] for p in flow.planes(part)]
    flow.label(out[0], flow.merge(planes))


@rule("glu")
def _gate(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    axis = int(given.get("dim", -1)) % out[0].dim()
    halves = []
    for plane in flow.planes(given["self"]):
        parts = plane.chunk(2, axis)
        flow.tie_parts(parts, axis)
        halves += [compact(part) for part in parts]
    flow.label(out[0], flow.merge(half for half in halves if half is not None))


@rule("index_put", "_index_put_impl", "_unsafe_index_put")
def _put(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """What is written into chosen places, whose channels are those of the places."""
    target, values = given["self"], given["values"]
    chosen = [one for one in given["indices"] if one is not None]
    taken = sum(one.dim() if one.dtype == torch.bool else 1 for one in chosen)
    planes, written = flow.planes(target), flow.planes(values)
    rest = target.dim() - taken
    first = len(chosen) == len(given["indices"])
    along_rest = all(at >= taken for plane in planes for at in varying(plane)) and all(
        at >= values.dim() - rest for plane in written for at in varying(plane)
    )
    if not first or not along_rest:
        flow.refuse([*planes, *written], _unknown(operation_name(function)))
        return
    shaped = [plane.reshape(plane.shape[max(0, plane.dim() - rest) :]) for plane in written]
    flow.label(out[0], flow.merge([*planes, *(align(one, target.dim()) for one in shaped)]))


def _other(flow: Flow, function: Any, given: Mapping[str, Any], out: list[Tensor]) -> None:
    """Element by element where the shapes say so; place by place of each channel; or unknown."""
    operands = tensors(given)
    labelled = [tensor for tensor in operands if flow.planes(tensor)]
    planes = [plane for tensor in labelled for plane in flow.planes(tensor)]
    if _broadcast(operands) == tuple(out[0].shape) or torch.Tag.pointwise in function.tags:
        planes = flow.merge(planes)
    elif len(labelled) != 1 or not _keeps_channels(labelled[0], out[0], planes):
        flow.refuse(planes, _unknown(operation_name(function)))
        return
    for target in out:
        if target.shape == out[0].shape:
            flow.label(target, planes)


def _broadcast(operands: list[Tensor]) -> tuple[int, ...]:
    """The shape of a result computed element by element; if there can be none, of no tensor."""
    axes = max(tensor.dim() for tensor in operands)
    shapes = [(1,) * (axes - tensor.dim()) + tuple(tensor.shape) for tensor in operands]
    sizes = [set(size) - {1} for size in zip(*shapes, strict=True)]
    return tuple(max(size, default=1) if len(size) < 2 else -1 for size in sizes)


def _keeps_channels(source: Tensor, target: Tensor, planes: list[Tensor]) -> bool:
    """Whether only places change, as in pooling: labels do not change along those."""
    alike = source.dim() == target.dim() and source.shape[:2] == target.shape[:2]
    return alike and all(max(varying(plane)) < 2 for plane in planes)


def _unknown(name: str) -> str:
    return f"its channels meet {name}, which is not followed"
