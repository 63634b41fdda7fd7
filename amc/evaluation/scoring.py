"""Accuracy of a network, and the fast path that a search evaluates its candidates on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from amc.devices import (
    device_of,
    evaluating,
    fast_type,
    in_parts,
    lay_out,
    on_all_cores,
)
from amc.graph import PruningGraph
from amc.modules import absent, fold_norms, fuse_activations
from amc.tasks import Samples

BATCH = 100
IN_TURN = 8
"""Batches of which a processor computes one after the other, each on all cores.

Side by side they begin in step, and wait for the same memory at the same time. Most parts of a race
are that short, and for another number of threads every convolution would be prepared anew.
"""
CACHE = 10 * 2**20
"""Bytes that the largest map of a batch may have on a processor; larger ones leave its caches."""
GPU_CACHE = 200 * 2**20
"""The same of a GPU, which small batches leave idle."""


Reading = Callable[[Tensor, Tensor], Tensor]
"""From (batch, classes) logits and (batch,) labels to (batch,) what is told of each sample."""


def accuracy(
    model: nn.Module, samples: Samples, batch_size: int = BATCH, *, bfloat16: bool = False
) -> float:
    """Fraction of `samples` that `model` classifies correctly, in [0, 1].

    Args:
        model: As for `hits`.
        samples: What it is measured on.
        batch_size: Samples a batch at most.
        bfloat16: As for `hits`.
    """
    return int(hits(model, samples, batch_size, bfloat16=bfloat16).sum()) / len(samples)


def hits(
    model: nn.Module, samples: Samples, batch_size: int = BATCH, *, bfloat16: bool = False
) -> Tensor:
    """(samples,) whether `model` classifies each one correctly.

    The network runs in evaluation mode and is left in the mode it had; on a processor, where there
    are more than a few batches, several at once, each on one thread. Where memory runs out, batches
    are made smaller.

    Args:
        model: Maps (batch, ...) inputs to (batch, classes) logits.
        samples: What it is measured on.
        batch_size: Samples a batch at most.
        bfloat16: Let torch's autocast choose that type where it is accurate enough.
    """
    return _read(model, samples, batch_size, bfloat16, _right)


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.eq(logits.argmax(1), labels)


def _margin(logits: Tensor, labels: Tensor) -> Tensor:
    own, rows = labels[:, None], logits.float()
    margin = (rows.gather(1, own) - rows.scatter(1, own, -torch.inf).amax(1, keepdim=True))[:, 0]
    margin = margin.nan_to_num(nan=0.0)
    # Of two equal logits, or what is no number, the first counts as the answer.
    least = torch.finfo(margin.dtype).tiny
    return torch.where(_right(logits, labels), margin.clamp_min(least), margin.clamp_max(0))


def _read(
    model: nn.Module,
    samples: Samples,
    batch_size: int,
    bfloat16: bool,
    read: Reading,
) -> Tensor:
    """(samples,) what `read` makes of logits and labels."""
    device = device_of(model)

    def answers(part: slice) -> Tensor:
        # Both contexts belong to the thread that enters them.
        half = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
        with torch.inference_mode(), half:
            logits = model(laid_out(samples.floats(part, device)))
            return read(logits.cpu(), samples.labels[part])

    def all_answers(parts: int) -> Tensor:
        each = _batches(len(samples), max(1, batch_size // parts), device)
        if len(each) <= IN_TURN:
            return torch.cat([answers(part) for part in each])
        return torch.cat(on_all_cores(answers, each, device))

    with evaluating(model):
        return in_parts(all_answers, batch_size, "measuring accuracy")


def _batches(count: int, most: int, device: torch.device) -> list[slice]:
    """Equal ones, because a GPU chooses its kernels for every new size; on a processor in pairs.

    Pairs keep two cores busy. More than that does not depend on the cores: sums in another order
    may decide a sample otherwise.
    """
    together = 2 if device.type == "cpu" else 1
    size = math.ceil(count / (together * math.ceil(count / (together * most))))
    return [slice(at, at + size) for at in range(0, count, size)]


def fast_accuracy(model: nn.Module, graph: PruningGraph, samples: Samples) -> float:
    """The same on a network that nobody needs afterwards: it is changed in place.

    Batch norms and, in bfloat16, activations become part of the layers before them, other
    activations overwrite their inputs, images are laid out channels last, and bfloat16 is used
    where the hardware has it (there the accuracy is within 0.005 of
    float32's).
    """
    make_ready(model, graph)
    return int(fast_hits(model, graph, samples).sum()) / len(samples)


def fast_hits(model: nn.Module, graph: PruningGraph, samples: Samples) -> Tensor:
    """(samples,) whether a network that `make_ready` has seen classifies each one correctly."""
    return _read_fast(model, graph, samples, _right)


def fast_margins(model: nn.Module, graph: PruningGraph, samples: Samples) -> Tensor:
    """(samples,) by how much the right class's logit leads the others': above 0 where it is right.

    Args:
        model: A network that `make_ready` has seen.
        graph: Its graph.
        samples: What it is measured on.
    """
    return _read_fast(model, graph, samples, _margin)


def _read_fast(model: nn.Module, graph: PruningGraph, samples: Samples, read: Reading) -> Tensor:
    device = device_of(model)
    half = fast_type(device) is torch.bfloat16
    return _read(model, samples, batch_for(graph, device), half, read)


def batch_for(graph: PruningGraph, device: torch.device) -> int:
    """Samples a batch so that the maps of a batch stay in the device's caches.

    By size and not by trial: which batch wins a trial depends on what else the machine does, and
    sums in another order may decide a sample otherwise.
    """
    number = fast_type(device).itemsize
    largest = number * max(layer.outputs * layer.positions for layer in graph.layers)
    if device.type != "cpu":
        return int(max(GPU_CACHE // largest, 1))
    return int(min(max(CACHE // largest, 1), 4 * BATCH // number))


def make_ready(model: nn.Module, graph: PruningGraph) -> PruningGraph:
    """Change a network in place, so that it computes the same faster.

    Args:
        model: A network traced as `graph`, or a cut of it; afterwards for evaluation only.
        graph: Its graph.

    Returns:
        The graph of what is left.
    """
    left = fold_norms(model, graph)
    for name in graph.overwriting:
        cast(Any, absent.found(model, name)).inplace = True
    device = device_of(model)
    if device.type == "cpu" and fast_type(device) is torch.bfloat16:
        fuse_activations(model, left)
    lay_out(model, torch.channels_last)
    return left


def laid_out(inputs: Tensor) -> Tensor:
    """Images channels last, in which convolutions are fastest; other inputs as they are."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def recalibrate(
    model: nn.Module,
    samples: Samples,
    batch_size: int = BATCH,
    *,
    names: Collection[str] | None = None,
) -> nn.Module:
    """Measure the running statistics of batch norms again, in place, on training samples.

    The statistics are the plain average over the batches (momentum None), not a moving one. A last
    batch of a single sample is left out: it has no variance. Norms that the forward pass does not
    reach keep what they had, and all do where it fails. Where memory runs out, batches are made
    smaller.

    Args:
        model: Its mode and weights are left as they are.
        samples: What it runs on.
        batch_size: Samples a batch.
        names: Modules among which the norms are looked for; None takes all.

    Raises:
        MemoryError: if memory runs out even for two samples at a time.
    """
    device = device_of(model)

    def measure(parts: int) -> nn.Module:
        with torch.no_grad(), evaluating(model), ExitStack() as stack:
            for name, module in model.named_modules():
                if isinstance(module, _BatchNorm) and (names is None or name in names):
                    stack.enter_context(_measure_anew(module))
            for inputs, _ in samples.batches(max(1, batch_size // parts)):
                if len(inputs) > 1 or len(samples) == 1:
                    model(laid_out(inputs).to(device))
        return model

    return in_parts(measure, max(1, batch_size // 2), "measuring batch norms again")


@contextmanager
def _measure_anew(norm: _BatchNorm) -> Iterator[None]:
    """Within, statistics begin anew; where none come out of it, they are what they were."""
    momentum, before = norm.momentum, copy.deepcopy(norm.state_dict())
    norm.reset_running_stats()
    norm.momentum = None
    norm.train()
    measured = False
    try:
        yield
        measured = bool(norm.num_batches_tracked)
    finally:
        norm.momentum = momentum
        if not measured:
            norm.load_state_dict(before)
