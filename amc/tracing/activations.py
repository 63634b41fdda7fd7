"""What a forward pass holds in memory: every tensor, during which operations, and how it shrinks.

Nothing is derived from what an operation does: the network runs once as it is, once on twice as
many samples, and once with one unit less of each group; tensors at the same place are compared.
That follows any code, inside of modules too.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from amc.graph import NUMBER_BYTES, Activation, PruningGraph, Width
from amc.modules import Inputs, call, narrow_attention, tensors
from amc.surgery import cut


@dataclass
class Made:
    """One tensor of one forward pass.

    Attributes:
        shape: As the operation that made it returned it.
        bytes: Of its storage, with 32 bits a floating-point number whatever its type.
        first: Number of that operation; 0 too for what was there before.
        last: Number of the last operation during which the storage was held.
    """

    shape: tuple[int, ...]
    bytes: int
    first: int
    last: int = -1


Pass = list[Made]


def activations(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> tuple[Activation, ...]:
    """Every tensor that a forward pass holds beside the stored weights, in the order they are made.

    PyTorch's own attention runs as in a cut network (`amc.modules`), operation by operation.
    Where a network of one unit less runs other operations or none, tensors are taken not to shrink
    with that group; where twice the samples do, all are taken to grow with the batch. So a tensor
    may be made too large, never too small.

    Args:
        model: In evaluation mode; left as it is.
        graph: Its groups.
        inputs: Of its forward pass, samples along the first axis.
    """
    model = _with_plain_attention(copy.deepcopy(model))
    full, samples = record(model, inputs), _samples(inputs)
    twice = _same(full, _attempt(model, _twice(inputs, samples)))
    smaller = _with_one_unit_less(model, graph)
    fewer = [_same(full, _attempt(network, inputs)) for network in smaller]
    return tuple(
        Activation(
            made.first,
            made.last,
            *_size(made, graph.full, [other[at] if other else made for other in fewer]),
            samples=samples if twice is None or twice[at].bytes != made.bytes else 0,
        )
        for at, made in enumerate(full)
    )


def record(model: nn.Module, inputs: Inputs) -> Pass:
    """Run the network without gradients and note each tensor that it makes.

    Tensors count by their storage: views and results of operations in place are no new ones. Inputs
    are held throughout, by whoever gave them, and so are buffers that are not stored.
    """
    recorder = _Recorder(tensors(model.state_dict(keep_vars=True)))
    for tensor in (*tensors(inputs), *model.buffers()):
        recorder.note(tensor, given=True)
    with torch.no_grad(), recorder:
        outputs = call(model, inputs)
    return recorder.finish(outputs)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes when storages come and go, which weak references tell."""

    def __init__(self, stored: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        dense = filter(_is_dense, stored)
        self._stored = {tensor.untyped_storage()._cdata for tensor in dense}
        self._made: Pass = []
        self._held: dict[int, Made] = {}
        self._step = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else PyTorch loads its compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tensors(out):
            self.note(tensor)
        self._step += 1
        return out

    def note(self, tensor: Tensor, *, given: bool = False) -> None:
        """Begin to watch a storage that is not known yet.

        Of what was `given` only the tensor itself counts: it may be one sample of a whole data set.
        """
        if not _is_dense(tensor):
            return
        storage = tensor.untyped_storage()
        key, itemsize = storage._cdata, tensor.element_size()
        numbers = tensor.numel() if given else storage.nbytes() // itemsize
        if numbers and key not in self._stored and key not in self._held:
            size = numbers * (NUMBER_BYTES if tensor.is_floating_point() else itemsize)
            made = Made(tuple(tensor.shape) if tensor.numel() else (), size, self._step)
            self._made.append(made)
            self._held[key] = made
            weakref.finalize(storage, self._let_go, key).atexit = False

    def _let_go(self, key: int) -> None:
        made = self._held.pop(key, None)
        if made is not None:
            made.last = self._step - 1

    def finish(self, outputs: Any) -> Pass:
        """All that was noted; what is still held, `outputs` among it, is so to the end."""
        for made in self._held.values():
            made.last = max(0, self._step - 1)
        self._held.clear()
        return self._made


def _is_dense(tensor: Tensor) -> bool:
    """Whether the tensor has one storage; sparse ones are not counted."""
    return tensor.layout is torch.strided


def _with_plain_attention(model: nn.Module) -> nn.Module:
    """In place: PyTorch's own attention as cut networks have it."""
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            narrow_attention(module)
    return model


def _with_one_unit_less(model: nn.Module, graph: PruningGraph) -> Iterable[nn.Module]:
    """For each group the network without its last unit."""
    full = tuple(tuple(range(units)) for units in graph.full)
    for at, units in enumerate(() if graph.granularity.masks else full):
        yield cut(model, graph, (*full[:at], units[:-1], *full[at + 1 :]), sharing=True)


def _samples(inputs: Inputs) -> int:
    first = next(iter(tensors(inputs)), None)
    return first.shape[0] if first is not None and first.dim() else 1


def _twice(value: Any, samples: int) -> Any:
    """Inputs with all of their samples twice."""
    if isinstance(value, Tensor):
        batched = value.dim() and value.shape[0] == samples
        return torch.cat([value, value]) if batched else value
    if isinstance(value, Mapping):
        return {name: _twice(item, samples) for name, item in value.items()}
    if isinstance(value, tuple | list):
        items = [_twice(item, samples) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def _attempt(model: nn.Module, inputs: Inputs) -> Pass:
    try:
        return record(model, inputs)
    except Exception:  # code that fixes a number of samples or units may raise anything
        return []


def _same(full: Pass, other: Pass) -> Pass | None:
    """The other pass, if it made the same tensors but for their sizes."""
    alike = len(full) == len(other) and all(
        len(one.shape) == len(two.shape) for one, two in zip(full, other, strict=True)
    )
    return other if alike else None


def _size(
    made: Made, units: Sequence[int], fewer: Sequence[Made]
) -> tuple[float, tuple[Width, ...]]:
    """Bytes for each product of the widths, and the widths.

    Args:
        made: In the whole network.
        units: Of each group.
        fewer: The same tensor with one unit less of each group.
    """
    widths, whole = [], made.bytes / prod(made.shape)
    for axis, size in enumerate(made.shape):
        taken = [size - other.shape[axis] for other in fewer]
        parts = tuple((group, each) for group, each in enumerate(taken) if each)
        if parts:
            fixed = size - sum(units[group] * each for group, each in parts)
            widths.append(Width(fixed, parts))
        else:
            whole *= size
    return whole, tuple(widths)
