"""A forward pass recorded: every tensor that it makes, and how long each is held."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import NUMBER_BYTES
from amc.modules import Inputs, call, operations, plain_attention, tensors


@dataclass
class Made:
    """One tensor of one forward pass.

    Attributes:
        shape: As the operation that made it returned it.
        bytes: Of its storage, with 32 bits a floating-point number whatever its type.
        first: Number of that operation; 0 too for what was there before.
        last: Number of the last operation during which the storage was held.
        joined: Of a concatenation its axis, and the numbers of what it joins, if they are known.
    """

    shape: tuple[int, ...]
    bytes: int
    first: int
    last: int = -1
    joined: tuple[int, tuple[int, ...]] | None = None


Pass = list[Made]


def record(model: nn.Module, inputs: Inputs) -> Pass:
    """Run the network without gradients and note each tensor that it makes.

    Tensors count by their storage: views and results of operations in place are no new ones. Inputs
    are held throughout, by whoever gave them, and so are buffers that are not stored.
    """
    recorder = _Recorder(tensors(model.state_dict(keep_vars=True)))
    for tensor in (*tensors(inputs), *model.buffers()):
        recorder.note(tensor, given=True)
    with torch.no_grad(), plain_attention(), recorder:
        outputs = call(model, inputs)
    return recorder.finish(outputs)


class _Recorder(operations.Dispatching):  # type: ignore[no-untyped-call]
    """Notes when storages come and go, which weak references tell."""

    def __init__(self, stored: Iterable[Tensor]) -> None:
        super().__init__()
        dense = filter(_is_dense, stored)
        self._stored = {tensor.untyped_storage()._cdata for tensor in dense}
        self._made: Pass = []
        self._held: dict[int, Made] = {}
        self._numbers: dict[int, int] = {}
        self._step = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        joins = func is torch.ops.aten.cat.default
        joined = self._joined(*args, **(kwargs or {})) if joins else None
        for tensor in tensors(out):
            self.note(tensor, joined=joined)
        self._step += 1
        return out

    def _joined(self, parts: list[Tensor], dim: int = 0) -> tuple[int, tuple[int, ...]] | None:
        """What a concatenation joins, where these are whole tensors that were noted."""
        known = [self._numbers.get(part.untyped_storage()._cdata, -1) for part in parts]
        for part, number in zip(parts, known, strict=True):
            if number < 0 or self._made[number].shape != tuple(part.shape):
                return None
        return dim % parts[0].dim(), tuple(known)

    def note(
        self,
        tensor: Tensor,
        *,
        given: bool = False,
        joined: tuple[int, tuple[int, ...]] | None = None,
    ) -> None:
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
            shape = tuple(tensor.shape) if tensor.numel() else ()
            made = Made(shape, size, self._step, joined=joined)
            self._numbers[key] = len(self._made)
            self._made.append(made)
            self._held[key] = made
            weakref.finalize(storage, self._let_go, key).atexit = False

    def _let_go(self, key: int) -> None:
        made = self._held.pop(key, None)
        self._numbers.pop(key, None)
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


def attempt(model: nn.Module, inputs: Inputs, full: Pass) -> Pass | None:
    """A forward pass, if it makes the same tensors as another but for their sizes.

    Tried twice: code may keep what it made for inputs of one size.
    """
    for _ in range(2):
        made = recorded(model, inputs)
        if len(made) == len(full) == alike(full, made):
            return made
    return None


def recorded(model: nn.Module, inputs: Inputs) -> Pass:
    """What a forward pass makes; nothing where it fails."""
    try:
        return record(model, inputs)
    except Exception:  # code that fixes a number of samples or units may raise anything
        return []


def alike(full: Pass, other: Pass) -> int:
    """How many tensors from the first on two passes make alike, but for their sizes."""
    pairs = enumerate(zip(full, other, strict=False))
    unlike = (at for at, (one, two) in pairs if len(one.shape) != len(two.shape))
    return next(unlike, min(len(full), len(other)))
