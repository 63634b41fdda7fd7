"""The score of a network, and the fast path that a search evaluates its candidates on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import device_of, evaluating, fast_type, in_parts, on_all_cores, out_of_memory
from amc.evaluation.preparing import BATCH, batch_for, laid_out, make_ready
from amc.graph import PruningGraph
from amc.modules import call, changed, shapes, tensors
from amc.tasks import (
    MOST,
    Data,
    Indexed,
    Metric,
    Samples,
    Task,
    TaskError,
    batches,
    moved,
    own_code,
    placed,
    replace_parts,
    size_of,
    type_of,
)

IN_TURN = 8
"""Batches of which a processor computes one after the other, each on all cores.

Side by side they begin in step, and wait for the same memory at the same time. Most parts of a race
are that short, and for another number of threads every convolution would be prepared anew.
"""
AT_ONCE, HELD = 16, 16 * 2**20
"""Batches of a stream that are held at most, so that they can be computed side by side, and bytes
of them after which no further one is."""
ANSWERS = 256 * 2**20
"""Bytes of the unpruned network's answers that are kept beside samples in memory at most; of more
they are computed each time."""
KNOWN = "answers of the unpruned network"
"""What they are called in the place of labels."""


def score(
    model: nn.Module,
    task: Task,
    *,
    test: bool = False,
    batch_size: int = BATCH,
    half: bool = False,
) -> float:
    """The task's score of a network, in its own type of numbers.

    The network runs in evaluation mode and is left in the mode it had. Where memory runs out,
    batches are made smaller.

    Args:
        model: It.
        task: With the score and its data.
        test: On the data of the final test, in place of those that a search scores on.
        batch_size: Samples a batch at most, of those in memory.
        half: Let a metric that allows it be computed in bfloat16 where that is fast.

    Raises:
        ValueError: if the task has no data for that, its own function fails, or the score is no
            number of its range; in one sentence.
    """
    if task.metric is None:
        return _by_function(model, task, test)
    task = with_answers(task, keep=False)
    assert task.metric is not None
    lower = half and may_be_half(model, task.metric)
    return _by_metric(model, task, task.metric.fresh(), _data(task, test), batch_size, lower)


def fast_score(model: nn.Module, graph: PruningGraph, task: Task, *, test: bool = False) -> float:
    """The same of a network that nobody needs afterwards: where a metric tells, it is changed.

    Batch norms and, in bfloat16, activations become part of the layers before them, other
    activations overwrite their inputs, images are laid out channels last, and bfloat16 is used
    where the metric allows and the hardware has it (there an accuracy is within 0.005 of
    float32's). A function of the user's own gets the network as it is.
    """
    if task.metric is None:
        return _by_function(model, task, test)
    make_ready(model, graph, half=may_be_half(model, task.metric))
    return ready_score(model, graph, with_answers(task, keep=False), test=test)


def ready_score(model: nn.Module, graph: PruningGraph, task: Task, *, test: bool = False) -> float:
    """The same, by a metric, of a network that `make_ready` has seen."""
    assert task.metric is not None
    half = may_be_half(model, task.metric)
    size = batch_for(graph, device_of(model))
    return _by_metric(model, task, task.metric.fresh(), _data(task, test), size, half)


def fast_numbers(model: nn.Module, graph: PruningGraph, task: Task, samples: Indexed) -> Tensor:
    """(samples,) what a race reads of each, of a network that `make_ready` has seen.

    Args:
        model: It.
        graph: Its graph.
        task: With a metric that has a number for each sample.
        samples: What they are told of.
    """
    assert task.metric is not None
    half = may_be_half(model, task.metric)
    size = batch_for(graph, device_of(model))
    return _told(model, task, task.metric.raced, samples, size, half)


def numbers(
    model: nn.Module,
    task: Task,
    samples: Indexed,
    *,
    batch_size: int = BATCH,
    half: bool = False,
) -> Tensor:
    """(samples,) what a metric tells of each, of a network as it is.

    Args:
        model: It.
        task: With a metric that has a number for each sample.
        samples: What they are told of.
        batch_size: As `score` takes it.
        half: As `score` takes it.
    """
    assert task.metric is not None
    lower = half and may_be_half(model, task.metric)
    return _told(model, task, task.metric, samples, batch_size, lower)


def may_be_half(model: nn.Module, metric: Metric) -> bool:
    """Whether a network computes in bfloat16: where the metric allows it and it is fast."""
    full = type_of(model) is torch.float32
    return metric.half and full and fast_type(device_of(model)) is torch.bfloat16


def _data(task: Task, test: bool) -> Data:
    data = task.test_loader if test else task.score_loader
    if data is None:
        raise ValueError(
            "task: there is nothing for the final test; give a test_loader or a test_func"
        )
    return data


def _by_function(model: nn.Module, task: Task, test: bool) -> float:
    name = "test_func" if test else "score_func"
    function = task.test_func if test else task.score_func
    if function is None:
        raise ValueError(f"task: there is no {name}; give one")
    with evaluating(model), torch.no_grad(), own_code(name, "a network"):
        made = function(model)
    return task.score.check(made, name)


def _by_metric(
    model: nn.Module, task: Task, metric: Metric, data: Data, size: int, half: bool
) -> float:
    told = _told(model, task, metric, data, size, half)
    found = metric.compute(told)
    if not math.isfinite(found) and metric.score.bounds is None:
        found = -metric.score.sign * MOST  # Of a candidate; the network as it came is refused.
    return metric.score.check(found, "the metric")


def _told(
    model: nn.Module, task: Task, metric: Metric, data: Data, size: int, half: bool
) -> Tensor:
    """What the metric tells: (samples,) numbers, or their sums (numbers,) over all."""
    # Once, because a network is long to walk through.
    device, kind = device_of(model), type_of(model)

    def of_batch(batch: Any) -> Tensor:
        # Both contexts belong to the thread that enters them.
        lower = torch.autocast(device.type, torch.bfloat16, enabled=half)
        with torch.inference_mode(), lower:
            inputs = laid_out(moved(task.inputs(batch), device, kind))
            outputs = _on_processor(_called(model, inputs), device)
        with torch.inference_mode():
            if not metric.against:
                return metric.tell(outputs, batch, None)
            return metric.tell(outputs, batch, _known(batch) or _unpruned(task, inputs))

    def all_told(parts: int) -> Tensor:
        most = max(1, size // parts)
        if isinstance(data, Indexed):
            each = [partial(data.batch, one, device) for one in _slices(len(data), most, device)]
            found: Iterable[Tensor] = _side_by_side(of_batch, each, metric, device)
        else:
            found = _streamed(of_batch, batches(data, most), metric, device)
        return _together(found, metric)

    with evaluating(model):
        return in_parts(all_told, size, "measuring a score")


def _called(model: nn.Module, inputs: Any) -> Any:
    try:
        return call(model, inputs)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise TaskError(
            f"task: the network fails on inputs {shapes(inputs)} of a batch "
            f"({type(error).__name__}: {error}); see that they are what it takes, or say what goes "
            "into it with collect_func"
        ) from error


def _side_by_side(
    work: Callable[[Any], Tensor],
    makers: Sequence[Callable[[], Any]],
    metric: Metric,
    device: torch.device,
) -> list[Tensor]:
    if metric.in_turn or len(makers) <= IN_TURN:
        return [work(make()) for make in makers]
    return on_all_cores(lambda make: work(make()), makers, device)


def _streamed(
    work: Callable[[Any], Tensor], stream: Iterator[Any], metric: Metric, device: torch.device
) -> Iterator[Tensor]:
    if metric.in_turn:
        yield from map(work, stream)
        return
    while some := _gathered(stream):
        yield from on_all_cores(work, some, device)


def _gathered(stream: Iterator[Any]) -> list[Any]:
    """The next batches of a stream."""
    found, size = list[Any](), 0
    for batch in islice(stream, AT_ONCE):
        found.append(batch)
        size += sum(one.nbytes for one in tensors(batch))
        if size > HELD:
            break
    return found


def _together(found: Iterable[Tensor], metric: Metric) -> Tensor:
    if metric.each:
        return torch.cat(list(found))
    total: Tensor | None = None
    for one in found:
        total = one.sum(0) if total is None else total + one.sum(0)
    if total is None:
        raise ValueError("task: score_loader is empty; give at least one batch")
    return total


def _slices(count: int, most: int, device: torch.device) -> list[slice]:
    """Equal ones, because a GPU chooses its kernels for every new size; on a processor in pairs.

    Pairs keep two cores busy. More than that does not depend on the cores: sums in another order
    may decide a sample otherwise.
    """
    together = 2 if device.type == "cpu" else 1
    size = math.ceil(count / (together * math.ceil(count / (together * most))))
    return [slice(at, at + size) for at in range(0, count, size)]


def _on_processor(outputs: Any, device: torch.device) -> Any:
    return outputs if device.type == "cpu" else changed(outputs, lambda one: one.cpu())


def _unpruned(task: Task, inputs: Any) -> Any:
    assert task.unpruned is not None
    with evaluating(task.unpruned):
        made = _called(task.unpruned, placed(inputs, task.unpruned))
    return _on_processor(made, device_of(task.unpruned))


def _known(batch: Any) -> Any:
    """The unpruned network's answers where a batch has them; None where not."""
    labels = batch[-1] if isinstance(batch, tuple) and batch else None
    return labels.get(KNOWN) if isinstance(labels, Mapping) else None


def with_answers(task: Task, *, keep: bool = True) -> Task:
    """The same, its metric told how the unpruned network answers, where it compares with that.

    Args:
        task: With the unpruned network.
        keep: Have the answers beside samples in memory too, where there are not too many, so that
            they are not computed for every candidate.
    """
    data, model, metric = task.score_loader, task.unpruned, task.metric
    if model is None or data is None or metric is None or not metric.against:
        return task
    kept: list[list[Tensor]] | None = None
    if keep and isinstance(data, Samples) and _to_keep(task, data):
        kept = []
    if metric.ready and kept is None:
        return task

    def answers() -> Iterator[tuple[Any, Any]]:
        with torch.inference_mode():
            for batch in batches(data, BATCH):
                made = _unpruned(task, placed(task.inputs(batch), model))
                if kept is not None:
                    kept.append(tensors(made))
                yield batch, made

    stream = answers()
    told = replace_parts(task, metric=metric.knowing(task.padding, stream))
    for _ in stream:
        pass  # What a metric that was told before has not read.
    if kept is None:
        return told
    assert isinstance(data, Samples)
    joined = tuple(torch.cat(one) for one in zip(*kept, strict=True))
    return replace_parts(told, score_loader=replace(data, labels={KNOWN: joined}))


def _to_keep(task: Task, data: Samples) -> bool:
    """Whether answers go beside the samples; a mask may be read from what stands there."""
    if _known(data.batch(slice(0, 1))) is not None:
        return False
    padded = task.real(data.batch(slice(0, 1))) is not None
    assert task.unpruned is not None
    return not padded and _answer_bytes(task, data, task.unpruned) * len(data) <= ANSWERS


def _answer_bytes(task: Task, data: Samples, model: nn.Module) -> int:
    """Of a sample; of what does not go by samples more than may be kept."""
    with torch.inference_mode():
        batch = data.batch(slice(0, 2))
        made = tensors(_unpruned(task, placed(task.inputs(batch), model)))
    count = size_of(batch)
    if any(not one.dim() or len(one) != count for one in made):
        return ANSWERS + 1
    return sum(one.nbytes for one in made) // count
