"""Following a network's channels through one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from amc.modules import (
    Inputs,
    arguments,
    call,
    first_call,
    kinds,
    operation_name,
    operations,
    other_calls,
    plain_attention,
    recurrent,
    samples_of,
    tensors,
)
from amc.tracing.forward import Call, Trace
from amc.tracing.labels import numbers
from amc.tracing.module_rules import ModuleRules
from amc.tracing.operation_rules import propagate
from amc.tracing.recurrent_rules import follow_recurrent
from amc.tracing.stored import PRODUCTS, Stored
from amc.tracing.work import Work, measure, total

ROUNDING = 1e-6
"""Of a module's work, relative: what is less beside its weights' is none."""


def trace_channels(model: nn.Module, inputs: Inputs, frozen: dict[str, str]) -> Trace:
    """Run the network once for each call, in evaluation mode, and follow its channels.

    Args:
        model: Left as it is.
        inputs: Of its calls; the first is counted.
        frozen: Modules of known kinds whose channels may not go, with the reason.
    """
    tracer = _Tracer(model, frozen, inputs)
    with torch.no_grad(), plain_attention(), tracer.hooks(), _Operations(tracer):
        outputs = tensors(call(model, first_call(inputs)))
    for other in other_calls(inputs):
        with torch.no_grad(), plain_attention(), tracer.again(), _Operations(tracer):
            outputs += tensors(call(model, other))
    if tracer.waiting() or tracer.unread():
        outputs += _train(model, inputs, tracer)
    tracer.end(outputs)
    return tracer.trace


def _train(model: nn.Module, inputs: Inputs, tracer: _Tracer) -> list[Tensor]:
    """What the network returns in training, where more of its modules may run."""
    for module in model.train().modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    try:
        with (
            torch.no_grad(),
            plain_attention(),
            tracer.again(training=True),
            _Operations(tracer),
        ):
            return tensors(call(model, inputs))
    except Exception:  # A norm over one number, say.
        tracer.refuse_training()
        return []
    finally:
        model.eval()


class _Operations(operations.Dispatching):  # type: ignore[no-untyped-call]
    """Shows every operation outside of known modules to the tracer."""

    def __init__(self, tracer: _Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self._tracer.operation(func, args, kwargs or {}, out)
        return out


class _Tracer:
    def __init__(self, model: nn.Module, frozen: dict[str, str], inputs: Inputs) -> None:
        self._batch = samples_of(inputs)
        self.trace = Trace(batch=self._batch)
        self._model = model
        self._rules = ModuleRules(self.trace.flow, frozen)
        self._stored = Stored(model, self._rules)
        for tensor in tensors(inputs):
            self._stored.note_dynamic(tensor)
        self._counts = True
        self._running: list[str] = []
        self._known: list[str] = []
        self._readers: dict[int, list[str]] = {}
        self._made: dict[str, Tensor] = {}
        self._fresh: dict[int, Tensor] = {}
        self._activated: dict[str, list[Tensor]] = {}
        self._overwritten: set[str] = set()
        self._hidden: set[str] = set()

    @contextmanager
    def hooks(self) -> Iterator[None]:
        handles = []
        for name, module in self._model.named_modules():
            handles.append(module.register_forward_pre_hook(self._enter(name)))
            ran = self._recurs if recurrent.is_recurrent(module) else self._ran
            if kinds.has_channels(module) or recurrent.is_recurrent(module):
                handles += [
                    module.register_forward_pre_hook(self._before(name)),
                    module.register_forward_hook(self._after(name, ran), with_kwargs=True),
                ]
            elif can_overwrite(module):
                seen = self._activates(name)
                handles.append(module.register_forward_hook(seen, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def waiting(self) -> list[str]:
        """Modules of known kinds that have not run."""
        flow, found = self.trace.flow, []
        for name, module in self._model.named_modules():
            if not kinds.has_channels(module) or not list(module.parameters(recurse=False)):
                continue
            if (name, "out") not in flow.elements and (name, "in") not in flow.elements:
                found.append(name)
        return found

    def unread(self) -> list[str]:
        """Parameters of several numbers, of no known module, that no operation has read yet."""
        return self._stored.unread()

    def refuse_training(self) -> None:
        """What ran in training alone stays, because nobody saw where it leads."""
        for name in self.trace.in_training:
            labels = self.trace.flow.elements[name, "out"]
            reason = "it runs in training alone, which fails on the example inputs"
            self.trace.flow.refuse((labels,), reason)

    @contextmanager
    def again(self, *, training: bool = False) -> Iterator[None]:
        """Within, what runs is followed, and counts only where nothing of it has run before.

        Args:
            training: Whether it runs in training, as no masked network does.
        """
        books = ("_readers", "_made", "_fresh", "_activated", "_overwritten", "_hidden")
        kept = {name: copy(getattr(self, name)) for name in books}
        work, inside = list(self.trace.work), dict(self.trace.inside)
        self._running, self._known = [], []
        self._counts, self.trace.flow.aside = False, training
        self.trace.flow.calls.clear()  # as masked networks count each call's
        try:
            with self.hooks():
                yield
        finally:
            self._running, self._known = [], []
            self._counts, self.trace.flow.aside = True, False
            vars(self).update(kept)
            self.trace.work = work
            self.trace.inside.clear()
            self.trace.inside.update(inside)

    def operation(self, func: Any, args: tuple[Any, ...], kwargs: Any, out: Any) -> None:
        name, given, found = operation_name(func), arguments(func, args, kwargs), tensors(out)
        self.trace.flow.calls[name] += 1
        if self._counts and not any(result.alias_info for result in func._schema.returns):
            self.trace.written[operations.uncounted(func)] += sum(one.numel() for one in found)
        if self._known:
            self.trace.inside[self._known[0]] += total(name, given, out)
            self._inside(self._known[0], func, args, kwargs, out)
            return
        operands = tensors((args, kwargs))
        for tensor in operands:
            self._read(tensor, "")
            self._stored.label(tensor)
        with self._stored.weakened(name, operands):
            propagate(self.trace.flow, func, args, kwargs, out)
        self._note_work(name, given, found)
        self._note_own(name, given, found)
        self._stored.note_result(operands, found)
        if not any(result.alias_info for result in func._schema.returns):
            self._fresh.update((id(tensor), tensor) for tensor in found)

    def _inside(self, name: str, func: Any, args: tuple[Any, ...], kwargs: Any, out: Any) -> None:
        """Follow what code of a known kind computes from its weight before it multiplies."""
        module = self._model.get_submodule(name)
        if not kinds.computes(module):
            return
        operands = tensors((args, kwargs))
        if operands and not any(map(self._stored.is_dynamic, operands)):
            for tensor in operands:
                self._stored.label(tensor)
            propagate(self.trace.flow, func, args, kwargs, out)
        elif operation_name(func) in PRODUCTS and not self._stored.reads(module, operands):
            self.trace.computed.add(name)
        self._stored.note_result(operands, tensors(out))

    def _note_own(self, name: str, given: dict[str, Any], out: list[Tensor]) -> None:
        """A weight of no known module that makes channels stands as a layer of its own."""
        source = self._stored.source_of(tensors(given)) if name in PRODUCTS and out else ""
        if not source or self.trace.flow.aside:
            return
        flow, layer = self.trace.flow, source.removesuffix(".weight")
        find = flow.atoms.find
        made = {find(label) for plane in flow.planes(out[0]) for label in numbers(plane)}
        for (tensor, axis), labels in flow.elements.items():
            if tensor == source and made & {find(label) for label in numbers(labels)}:
                flow.makers[source, axis] = layer
        size = tuple(given["input"].shape[2:]) if "input" in given else ()
        self.trace.calls.setdefault(layer, Call(size, times=1, tensor=source))

    def _note_work(self, name: str, given: dict[str, Any], out: list[Tensor]) -> None:
        """Of a product; one with a weight of a known module counts as a call of that."""
        if not self._counts:
            return
        where = self._running[-1] if self._running else ""
        for work in measure(self.trace.flow, name, given, out):
            weight = self._stored.layer_of(tensors(given))
            if not weight:
                self.trace.work.append(replace(work, name=where))
                continue
            module = self._model.get_submodule(weight)
            each = work.macs / kinds.weight_of(module).numel() / self._batch
            size = tuple(given["input"].shape[2:]) if "input" in given else ()
            seen = self.trace.calls.setdefault(weight, Call(size))
            seen.times += 1
            for kind in ("positions", "read", "written"):
                setattr(seen, kind, getattr(seen, kind) + each)

    def _enter(self, name: str) -> Any:
        return lambda module, args: self._running.append(name)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._running.pop()

    def _activates(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            given = tensors((args, kwargs))
            self._activated.setdefault(name, []).extend(given)
            if self._known:
                self._hidden.add(name)  # what else is read in there is not seen
            if module.inplace and all(map(self._is_lone, given)):
                self._overwritten.add(name)  # what is read later is what the activation made

        return hook

    def _read(self, tensor: Tensor, reader: str) -> None:
        self._readers.setdefault(id(tensor), []).append(reader)

    def _before(self, name: str) -> Any:
        return lambda module, args: self._known.append(name)

    def _after(self, name: str, ran: Any) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._known.pop()
            for tensor in tensors(output):
                self._stored.note_dynamic(tensor)
            if not self._known:
                with _disable_current_modes():
                    ran(name, module, tensors((args, kwargs)), tensors(output))

        return hook

    def _ran(self, name: str, module: nn.Module, given: list[Tensor], made: list[Tensor]) -> None:
        output = made[0]
        if self._counts:
            self._count(name, module, given, output)
        elif name not in self.trace.calls:
            self._note_uncounted(name, module, given)
        for tensor in given:
            self._read(tensor, name)
        # Whatever had the same id before is gone.
        self._readers.pop(id(output), None)
        self._made[name] = self._fresh[id(output)] = output
        if isinstance(module, nn.MultiheadAttention):
            for tensor in _three(given):
                self._rules.take(name, module, tensor)
            self._rules.give(f"{name}.out_proj", module.out_proj, output, [])
            self._rules.tie_heads(name, module)
            return
        rest = self._rules.take(name, module, given[0])
        rest = self._rules.across(module, rest, output)
        self.trace.calls[name].across = rest[0].flatten() if len(rest) == 1 else None
        self._rules.give(name, module, output, rest)

    def _note_uncounted(self, name: str, module: nn.Module, given: list[Tensor]) -> None:
        """A layer that runs, but not in the call that counts."""
        size = tuple(given[0].shape[2:]) if kinds.known_kind(module).layer == "conv" else ()
        attention = isinstance(module, nn.MultiheadAttention)
        for layer in (name, f"{name}.out_proj") if attention else (name,):
            self.trace.calls[layer] = Call(size)
        if self.trace.flow.aside:
            self.trace.in_training.append(name)

    def _recurs(
        self, name: str, module: recurrent.Recurrent, given: list[Tensor], out: list[Tensor]
    ) -> None:
        """A layer of its own, whose hidden units go together in all of its weights."""
        for tensor in given:
            self._read(tensor, "")
        follow_recurrent(self.trace.flow, name, module, given, out)
        places = given[0].numel() // given[0].shape[-1]
        for key, parameter in module.named_parameters(recurse=False):
            self.trace.calls.setdefault(name, Call((), times=1, tensor=f"{name}.{key}"))
            if parameter.dim() > 1 and self._counts:
                axes = (self.trace.flow.elements[f"{name}.{key}", axis] for axis in (0, 1))
                labels = tuple(own[:, None] for own in axes)
                self.trace.work.append(Work(name, float(parameter.numel() * places), labels))

    def _count(self, name: str, module: nn.Module, given: list[Tensor], output: Tensor) -> None:
        kind, shape = kinds.known_kind(module), tuple(given[0].shape)
        if kind.layer == "conv" and len(shape) == (kind.axes or 0) + 1:
            self._batch = self.trace.batch = 1  # a picture without an axis of samples
        axis = kinds.channel_axis(module, shape) if kind.layer != "embedding" else 0
        size = tuple(s for at, s in enumerate(shape) if at not in (0, axis))
        seen = self.trace.calls.setdefault(name, Call(size))
        seen.times += 1
        if isinstance(module, nn.MultiheadAttention):
            self._count_attention(name, module, seen, given, output)
            return
        written = self._places(module, output)
        seen.written += written
        if kind.layer != "embedding":
            read = self._places(module, given[0])
            transposed = kind.layer == "conv" and kind.weight == ("in", "out")
            seen.read += read
            seen.positions += read if transposed else written

    def _count_attention(
        self,
        name: str,
        module: nn.MultiheadAttention,
        seen: Call,
        given: list[Tensor],
        output: Tensor,
    ) -> None:
        """One projection to three times the width, and one back."""
        places = {id(tensor): self._places(module.out_proj, tensor) for tensor in _three(given)}
        projected = sum(places[id(tensor)] for tensor in _three(given)) / 3
        seen.positions += projected
        seen.written += projected
        seen.read += sum(places.values())  # what is given twice is read once
        last = self.trace.calls.setdefault(f"{name}.out_proj", Call(seen.in_size, times=1))
        for kind in ("positions", "read", "written"):
            setattr(last, kind, getattr(last, kind) + self._places(module.out_proj, output))

    def _places(self, module: nn.Module, tensor: Tensor) -> float:
        """Places per sample, by a tensor that has one channel axis."""
        axis = kinds.channel_axis(module, tuple(tensor.shape))
        places = tensor.numel() // tensor.shape[axis]
        if places % self._batch:
            return prod(size for at, size in enumerate(tensor.shape) if at not in (0, axis))
        return places // self._batch

    def end(self, outputs: list[Tensor]) -> None:
        """Note what the network returned, and what alone reads a layer or an operation."""
        flow = self.trace.flow
        self.trace.silent = self.waiting()
        self._stored.tie_shared()
        self._note_rest()
        flow.tie_slices()
        self.trace.outputs = outputs
        for tensor in outputs:
            self._read(tensor, "")
            flow.refuse(flow.planes(tensor), "its channels are outputs of the network")
        for name, made in self._made.items():
            readers = self._readers.get(id(made), [])
            if len(readers) == 1 and self._is_lone_norm(name, readers[0], made):
                self.trace.norms[name] = readers[0]
        for name in self._hidden:
            del self._activated[name]
        self.trace.overwriting = tuple(
            name for name, given in self._activated.items() if all(map(self._is_lone, given))
        )
        self.trace.activations = dict(self._lone_activations())

    def _note_rest(self) -> None:
        """What runs inside of known modules and is no product with their weights."""
        for name, macs in self.trace.inside.items():
            module = self._model.get_submodule(name)
            if recurrent.is_recurrent(module):
                continue
            heads = isinstance(module, nn.MultiheadAttention)
            names = (name, f"{name}.out_proj") if heads else (name,)
            rest = macs - sum(self._weighted(one) for one in names)
            if abs(rest) > ROUNDING * macs:
                axes = (self.trace.flow.elements[names[-1], "in"][:, None],) if heads else ()
                self.trace.work.append(Work(name, rest, axes))

    def _weighted(self, name: str) -> float:
        """Multiply-accumulates of all samples with a module's own weight."""
        module, seen = self._model.get_submodule(name), self.trace.calls[name]
        if kinds.known_kind(module).layer in ("norm", "embedding"):
            return 0.0
        return seen.positions * self._batch * float(kinds.weight_of(module).numel())

    def _lone_activations(self) -> Iterator[tuple[str, str]]:
        """Layers that ran once, each with the activation that ran once and alone reads it."""
        makers = {id(made): name for name, made in self._made.items()}
        for name, given in self._activated.items():
            maker = makers.get(id(given[0])) if len(given) == 1 else None
            if maker is None or self.trace.calls[maker].times > 1:
                continue
            if name in self._overwritten or self._is_lone(given[0]):
                yield maker, name

    def _is_lone(self, tensor: Tensor) -> bool:
        """Whether the numbers were made by the network and are read once."""
        return id(tensor) in self._fresh and len(self._readers.get(id(tensor), [])) == 1

    def _is_lone_norm(self, name: str, reader: str, made: Tensor) -> bool:
        module = self._model.get_submodule(reader) if reader else None
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            return False
        maker, shape = self._model.get_submodule(name), tuple(made.shape)
        return (
            kinds.known_kind(maker).layer in ("conv", "linear")
            and not isinstance(maker, nn.MultiheadAttention)
            and self.trace.calls[name].times == 1
            and self.trace.calls[reader].times == 1
            and kinds.channel_axis(maker, shape) == kinds.channel_axis(module, shape)
        )


def can_overwrite(module: nn.Module) -> bool:
    """Whether this is one of PyTorch's activations that may be told to overwrite their input."""
    return type(module).__module__ == nn.ReLU.__module__ and hasattr(module, "inplace")


def _three(given: list[Tensor]) -> list[Tensor]:
    """Query, key and value; one that is given once is all of them."""
    return (given[:3] if len(given) > 2 else given * 3)[:3]
