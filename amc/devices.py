"""What the processor or GPU at hand does well, and the state of a network on it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

CPU = torch.device("cpu")

PREPARED = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
os.environ.setdefault(PREPARED, "512")
"""What oneDNN keeps prepared, two for a convolution; it reads this at the first one.

A search fills whatever it may, as every candidate brings new shapes. A network of more than 250
convolutions prepares them anew for each batch; with oneDNN's own 1,024 one of twice as many.
"""

_LONG = 32
"""Places of a kernel along a line that oneDNN is not trusted with; it is wrong from 64 on."""

_WIDE_LINE = 16_384
"""Products of a place along a line from which oneDNN trains slower in bfloat16 than in float32."""

_VECTOR_LANES = 16
"""Numbers in the widest register of any processor (AVX-512, float32)."""


def bfloat16_is_fast(device: torch.device | str = "cpu") -> bool:
    """True where bfloat16 arithmetic runs in hardware (AVX512-BF16, AMX, Arm BF16, recent GPUs).

    Elsewhere it is emulated and many times slower than float32.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    have = torch.cpu.get_capabilities()
    return any(bool(have.get(name)) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def trains_in_half(model: torch.nn.Module) -> bool:
    """True where training `model` in bfloat16 is faster than in float32, on the device it is on.

    Not where a convolution along a long line of many channels falls out of what oneDNN has for it:
    with 1,024 channels of 64 places it takes two and a half times as long (torch 2.13, AMX).
    """
    device = device_of(model)
    wide = device == CPU and any(
        _is_long_line(module.kernel_size)
        and module.in_channels // module.groups * max(module.kernel_size) > _WIDE_LINE
        for module in model.modules()
        if isinstance(module, torch.nn.Conv2d)
    )
    return bfloat16_is_fast(device) and not wide


def train_mode(model: torch.nn.Module) -> torch.nn.Module:
    """Training mode, but for batch norms whose statistics never move: they normalise by those.

    A momentum of 0 says so, as in networks that were carried over from other frameworks; with each
    batch's own statistics such a network would learn what it is not in evaluation mode.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.momentum == 0:
            module.eval()
    return model


def fast_type(device: torch.device | str = "cpu") -> torch.dtype:
    """The type that candidates are measured in there."""
    return torch.bfloat16 if bfloat16_is_fast(device) else torch.float32


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the first parameter or buffer of `model` lives; the CPU if it has none."""
    for tensor in chain(model.parameters(), model.buffers()):
        return tensor.device
    return torch.device("cpu")


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode within; after it, come what may, every module has the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def lay_out(model: torch.nn.Module, layout: torch.memory_format) -> None:
    """Store flat kernels in place in this layout; convolutions are fastest with channels last.

    But for kernels along a line of `_LONG` places and more: with channels last oneDNN convolves
    them wrongly, by more than half of the result, where the other axis has one place (torch 2.13,
    float32 and bfloat16, numbers of channels that fill no register, as after pruning).
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dim() == 4 and not _is_long_line(tensor.shape[2:]):
            # A copy, because the strides of a 1x1 kernel pass for either layout.
            tensor.data = tensor.data.clone(memory_format=layout)


def _is_long_line(kernel: Sequence[int]) -> bool:
    return min(kernel) == 1 and max(kernel) >= _LONG


def training_layout(model: torch.nn.Module) -> torch.memory_format:
    """The fastest layout of kernels and images that `model` can be trained in.

    Channels last, unless there is a strided 1x1 convolution of few inputs, as cut shortcuts have:
    oneDNN writes past its buffer when it computes their gradients in that layout, which gives wrong
    gradients or a crash (github.com/uxlfoundation/oneDNN/issues/6035, in torch 2.13). Nor where
    there is a kernel along a long line, of which `lay_out` tells.
    """
    narrow = any(
        (
            module.kernel_size == (1, 1)
            and max(module.stride) > 1
            and module.in_channels // module.groups < _VECTOR_LANES
        )
        or _is_long_line(module.kernel_size)
        for module in model.modules()
        if isinstance(module, torch.nn.Conv2d)
    )
    return torch.contiguous_format if narrow else torch.channels_last


@contextmanager
def right_gradients(model: torch.nn.Module) -> Iterator[None]:
    """Gradients of this network taken within are not oneDNN's where those may be wrong or a crash.

    Whatever layout its weights and inputs have, which its own code may change on the way: see
    `training_layout`.
    """
    before = bool(torch.backends.mkldnn.enabled)
    safe = training_layout(model) is torch.channels_last
    # Not by `flags`, which changes how numbers are rounded for good.
    torch.backends.mkldnn.enabled = before and safe  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before  # type: ignore[assignment]


def in_parts(work: Callable[[int], R], most: int, what: str) -> R:
    """`work(1)`, or in 2, 4, 8, ... parts where memory runs out, of the device or of the machine.

    Args:
        work: Does the same work in so many parts, each of which takes less memory.
        most: Parts that it can be done in.
        what: For the message.

    Raises:
        MemoryError: if it runs out even then.
    """
    parts = 1
    while True:
        try:
            return work(parts)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if 2 * parts > most:
                raise MemoryError(
                    f"{what}: memory runs out even in {parts} parts; close other programs, or use "
                    "a device with more of it"
                ) from None
        parts *= 2


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, of a GPU or of the machine."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or "you tried to allocate" in str(error)


def give_back_memory() -> None:
    """Hand memory that was freed back to the system, which GNU's C library puts off for long.

    Worth its while after work that took much more of it than what follows; elsewhere than under
    that library nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


@contextmanager
def own_generators() -> Iterator[None]:
    """What is seeded and drawn within leaves torch's generators as they were, on GPUs too."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


@contextmanager
def own_threads() -> Iterator[None]:
    """What changes PyTorch's number of threads within leaves it as it was.

    Another number sums in another order, and gives other weights.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Operations within use one thread: on small tensors, waiting for a second one costs more."""
    with own_threads():
        torch.set_num_threads(1)
        yield


def on_all_cores(
    function: Callable[[T], R],
    items: Sequence[T],
    device: torch.device = CPU,
    *,
    lasting: bool = False,
) -> list[R]:
    """`function` of every item, in their order; on a processor, one item on each of its threads.

    Whole batches side by side keep cores busier than splitting each operation of a small network
    among them, which makes the cores wait for each other after every one.

    Args:
        function: Safe to be called from several threads at once.
        items: What it is called with.
        device: Where it computes; elsewhere than on a processor items follow one another.
        lasting: Keep the threads for the next time: a new one takes a millisecond until it
            computes. Where networks run, they would keep the memory of the largest as well.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or min(threads, len(items)) < 2:
        return [function(item) for item in items]
    with one_thread():
        if lasting:
            return _all(_lasting(threads), function, items)
        with _workers(min(threads, len(items))) as workers:
            return _all(workers, function, items)


def _all(workers: ThreadPoolExecutor, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results in order; whatever happens, nothing computes any more afterwards."""
    waiting = list[Future[R]]()
    try:
        waiting.extend(workers.submit(function, item) for item in items)
        return [each.result() for each in waiting]
    finally:
        for each in waiting:
            each.cancel()
        wait(waiting)


def _workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, initializer=_alone)


def _alone() -> None:
    torch.get_num_threads()  # else this thread's first operation asks for as many as others have
    torch.set_num_threads(1)


_lasting = cache(_workers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lasting.cache_clear)  # it has none of these threads
