"""Batches: any iterable of them that can be begun again, or samples in any order.

A batch is a tensor, or a tuple, list or mapping of tensors, nested; its first axis is that of
samples. Nothing here holds more than a few batches of a stream.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from amc.devices import device_of
from amc.modules import Inputs, changed, samples_of, tensors
from amc.tasks.own_code import reading
from amc.tasks.samples import Indexed

Data = Indexed | Iterable[Any]
"""What can be read again and again: `Samples`, a `torch.utils.data.DataLoader`, a list."""


@dataclass(frozen=True)
class First:
    """The first samples of a stream, and no more of it than the batches that hold them.

    Args:
        data: The whole.
        count: Samples at most, at least 1.
    """

    data: Iterable[Any]
    count: int

    def __iter__(self) -> Iterator[Any]:
        left = self.count
        for batch in reading(self.data):
            size = size_of(batch)
            yield batch if size <= left else part(batch, slice(0, left), size)
            left -= size
            if left <= 0:
                return


@dataclass(frozen=True)
class Whole:
    """Batches that nothing cuts into parts, each of which counts as one sample.

    Such as graphs, whose first axis is that of nodes, or sequences with time first.

    Args:
        data: The batches.
    """

    data: Iterable[Any]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)


@dataclass(frozen=True)
class _FirstWhole(Whole):
    count: int

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.data), self.count)


def few(data: Data, count: int) -> Data:
    """The first `count` samples, or all where there are fewer."""
    if isinstance(data, Whole):
        return _FirstWhole(data, count)
    return data.take(slice(0, count)) if isinstance(data, Indexed) else First(data, count)


def batches(data: Data, size: int) -> Iterator[Any]:
    """Batches of at most `size` samples of those in memory; of a stream as they come, or parts."""
    if isinstance(data, Indexed):
        yield from data.batches(size)
        return
    for batch in reading(data):
        yield from [batch] if isinstance(data, Whole) else parts(batch, size)


def parts(batch: Any, size: int) -> list[Any]:
    """The batch, or consecutive parts of it of at most so many samples."""
    count = size_of(batch)
    if count <= size:
        return [batch]
    return [part(batch, slice(at, at + size), count) for at in range(0, count, size)]


def in_equal_parts(batch: Any, count: int) -> list[Any]:
    """The batch in so many consecutive parts, or in as many as it has samples."""
    size = size_of(batch)
    ends = [round(size * at / count) for at in range(count + 1)]
    chosen = [slice(a, b) for a, b in pairwise(ends) if b > a]
    return [batch] if count == 1 else [part(batch, one, size) for one in chosen]


def part(batch: Any, chosen: slice, count: int) -> Any:
    """Some samples of a batch of `count`: of each tensor and list that is as long."""
    if isinstance(batch, Tensor):
        return batch[chosen] if batch.dim() and len(batch) == count else batch
    if isinstance(batch, Mapping):
        return {name: part(one, chosen, count) for name, one in batch.items()}
    if isinstance(batch, list) and len(batch) == count and not _of_samples(batch, count):
        return batch[chosen]
    if isinstance(batch, list | tuple):
        made = (part(one, chosen, count) for one in batch)
        named = hasattr(batch, "_fields")
        return type(batch)(*made) if named else type(batch)(made)
    return batch


def _of_samples(batch: list[Any], count: int) -> bool:
    """Whether this list has tensors of all samples, as a batch of as many fields may."""
    return all(isinstance(one, Tensor) and one.dim() and len(one) == count for one in batch)


def size_of(batch: Any) -> int:
    """How many samples a batch has: by its first list of samples, or its first tensor."""
    first = batch[0] if isinstance(batch, tuple | list) and batch else None
    if isinstance(first, list) and _fields(first, batch[1:]):
        return size_of(first[0])
    return samples_of(tuple(batch) if isinstance(batch, list) else batch)


def _fields(listed: list[Any], others: Sequence[Any]) -> bool:
    """Whether a list has several inputs of all samples, and is no list of pictures.

    PyTorch's `default_collate` makes lists of tuples. Pictures are of three axes, as many as there
    are samples.
    """
    if not listed or not all(isinstance(one, Tensor) and one.dim() for one in listed):
        return False
    count = len(listed[0])
    if any(len(one) != count for one in listed):
        return False
    told = next((one for one in others if isinstance(one, Tensor | list)), None)
    if told is not None and len(tensors(told)) and (isinstance(told, list) or told.dim()):
        return (len(told) == count and len(told) != len(listed)) or not _pictures(listed)
    return not _pictures(listed)


def first_batch(data: Data, size: int) -> Any:
    """The first batch, of at most so many samples; None where there is none."""
    return next(iter(batches(data, size)), None)


def placed(value: Any, model: nn.Module) -> Any:
    """The same where the network is, in its type of floating-point numbers."""
    return moved(value, device_of(model), type_of(model))


def moved(value: Any, device: torch.device, kind: torch.dtype) -> Any:
    """The same on a device, its floating-point numbers of this type."""

    def one_moved(one: Tensor) -> Tensor:
        wanted = kind if one.is_floating_point() else one.dtype
        return one.to(device, wanted, non_blocking=True)

    return changed(value, one_moved)


def type_of(model: nn.Module) -> torch.dtype:
    """Of its floating-point parameters, or of its buffers; float32 where it has none."""
    held = chain(model.parameters(), model.buffers())
    kinds = (one.dtype for one in held if one.is_floating_point())
    return next(kinds, torch.float32)


def check_data(data: object, what: str, *, again: bool = False) -> None:
    """Refuse what cannot be read as batches.

    Args:
        data: It.
        what: Its name, for messages.
        again: See as well that it comes the same a second time, by its first batches.

    Raises:
        ValueError: in one sentence.
    """
    if isinstance(data, Indexed):
        return
    if not isinstance(data, Iterable):
        raise ValueError(
            f"task: {what} is a {type(data).__name__}, which cannot be iterated; give a "
            "DataLoader, a list of batches or amc.Samples"
        )
    if isinstance(data, Iterator):
        raise ValueError(
            f"task: {what} is a {type(data).__name__}, which can be read once only; give a "
            "DataLoader or a list, which begins again"
        )
    for batch in (looks := list(islice(reading(data), 1))):
        if not tensors(batch):
            raise ValueError(
                f"task: {what} gives batches of {type(batch).__name__} without a tensor; let its "
                "collate function make tensors"
            )
    if not looks:
        raise ValueError(f"task: {what} is empty; give at least one batch")
    if again and not _comes_again(data):
        raise ValueError(
            f"task: {what} comes otherwise each time, so that scores could not be compared; "
            "neither shuffle nor augment it"
        )


LOOKED_FOR = 10.0
"""Seconds of reading by which it is seen at most that data come the same each time."""


def _comes_again(data: Iterable[Any]) -> bool:
    """Whether batches are the same a second time, as far as `LOOKED_FOR` reaches."""
    end = time.monotonic() + LOOKED_FOR
    sums: list[int] = []
    for batch in reading(data):
        sums.append(_checksum(batch))
        if time.monotonic() > end:
            again = islice(reading(data), len(sums))
            return sums == list(map(_checksum, again))
    return sums == list(map(_checksum, reading(data)))


def _checksum(batch: Any) -> int:
    """Of all that a batch has in tensors."""
    found = 0
    for one in tensors(batch):
        found = zlib.crc32(str(tuple(one.shape)).encode(), found)
        raw = one.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found = zlib.crc32(raw.numpy().tobytes(), found)
    return found


def collect_like(example: Inputs, batch: Any) -> Inputs:
    """The part of a batch that is what the network takes: what looks like its example inputs.

    The whole batch, its first part, or its first parts; of a mapping the entries that the example
    has.

    Raises:
        ValueError: if nothing in the batch does.
    """
    found = _collected(example, batch)
    if isinstance(example, Tensor) and isinstance(found, Tensor):
        _check_axes(example, found)
    if found is None:
        raise ValueError(
            f"task: nothing in a batch of {_about(batch)} looks like the example inputs, "
            f"{_about(example)}; say what goes into the network with collect_func"
        )
    return cast(Inputs, found)


def _check_axes(example: Tensor, found: Tensor) -> None:
    if found.dim() and found.shape == example.shape[1:]:
        raise ValueError(
            f"task: a batch has {tuple(found.shape)}, which is one sample of the example inputs "
            f"{tuple(example.shape)}; give its first axis to samples, be it a single one"
        )


def _collected(example: Inputs, batch: Any) -> Any:
    if isinstance(example, Tensor):
        if isinstance(batch, Tensor):
            return batch
        return _alike(example, batch)
    if isinstance(example, Mapping):
        if isinstance(batch, Mapping):
            named = {name: batch[name] for name in example if name in batch}
            return named or None
        firsts = _items(batch)
        return _collected(example, firsts[0]) if firsts else None
    return _arguments(tuple(example), batch) if isinstance(example, tuple) else None


def _alike(example: Tensor, batch: Any) -> Any:
    """The tensor in a batch that looks like the example: of its kind of numbers, axes and sizes.

    Raises:
        ValueError: if several entries of a mapping do, which have no order to go by.
    """
    items = _items(batch)
    if items and not isinstance(batch, Mapping) and not isinstance(items[0], Tensor):
        return _collected(example, items[0])
    looks = (_kind_and_sizes, _kind_and_axes, lambda one: one.is_floating_point())
    flat = [one for one in items if isinstance(one, Tensor)]
    for look in looks:
        found = [one for one in flat if look(one) == look(example)]
        if len(found) > 1 and isinstance(batch, Mapping):
            names = [name for name, one in batch.items() if any(one is own for own in found)]
            raise ValueError(
                f"task: {' and '.join(map(repr, names))} of a batch all look like the example "
                "input; say what goes into the network with collect_func"
            )
        if found:
            return found[0]
    return _collected(example, items[0]) if items else None


def _kind_and_axes(one: Tensor) -> tuple[bool, int]:
    return one.is_floating_point(), one.dim()


def _kind_and_sizes(one: Tensor) -> tuple[bool, Any]:
    return one.is_floating_point(), one.shape[1:]


def _arguments(example: tuple[Any, ...], batch: Any) -> Any:
    """A tuple of the forward's arguments."""
    items = _items(batch)
    if isinstance(batch, Tensor):
        return (batch,) if len(example) == 1 else None
    if not items:
        return None
    if len(example) == 1:
        only: Any = example[0]
        if isinstance(only, list):  # of pictures, as detectors take
            pictures = batch if _pictures(batch) else items[0]
            return (list(pictures),) if _pictures(pictures) else None
        found = _collected(only, batch)
        return None if found is None else (found,)
    nested = items[0]
    if isinstance(nested, tuple | list) and len(nested) == len(example):
        return tuple(nested)
    return tuple(items[: len(example)]) if len(items) >= len(example) else None


def _pictures(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(
        isinstance(one, Tensor) and one.dim() == 3 for one in value
    )


def _items(batch: Any) -> tuple[Any, ...]:
    if isinstance(batch, Mapping):
        return tuple(batch.values())
    return tuple(batch) if isinstance(batch, tuple | list) else ()


def _about(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a mapping of {', '.join(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} ({', '.join(map(_about, value[:3]))})"
    return f"a {type(value).__name__}"


def first_part(batch: Any) -> Inputs:
    """What goes into a network where nothing else is said: a batch without what follows its inputs.

    A tensor or a mapping whole, of a tuple or list the first.
    """
    if isinstance(batch, tuple | list) and batch:
        return cast(Inputs, batch[0])
    return cast(Inputs, batch)
