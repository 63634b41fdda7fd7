"""Following a network's channels through one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from amc.modules import Inputs, call, kinds, tensors
from amc.tracing.forward import Call, Trace
from amc.tracing.module_rules import ModuleRules
from amc.tracing.operation_rules import propagate


def trace_channels(model: nn.Module, inputs: Inputs, frozen: dict[str, str]) -> Trace:
    """Run the network once, in evaluation mode, and follow its channels.

    Args:
        model: Left as it is.
        inputs: Of its forward pass.
        frozen: Modules of known kinds whose channels may not go, with the reason.
    """
    first = tensors(inputs)[0] if tensors(inputs) else torch.empty(1)
    tracer = _Tracer(model, frozen, batch=first.shape[0] if first.dim() else 1)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it would pass the layers inside by
    try:
        with torch.no_grad(), tracer.hooks(), _Operations(tracer):
            outputs = tensors(call(model, inputs))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    tracer.end(outputs)
    return tracer.trace


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Shows every operation outside of known modules to the tracer."""

    def __init__(self, tracer: _Tracer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tracer = tracer

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else PyTorch loads its compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self._tracer.operation(func, args, kwargs or {}, out)
        return out


class _Tracer:
    def __init__(self, model: nn.Module, frozen: dict[str, str], batch: int) -> None:
        self.trace = Trace()
        self._model, self._batch = model, batch
        self._rules = ModuleRules(self.trace.flow, frozen)
        self._parameters = {id(p): name for name, p in model.named_parameters()}
        self._inside = 0
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
            ran = self._stop if _is_recurrent(module) else self._ran
            if kinds.has_channels(module) or _is_recurrent(module):
                handles += [
                    module.register_forward_pre_hook(self._before),
                    module.register_forward_hook(self._after(name, ran), with_kwargs=True),
                ]
            elif can_overwrite(module):
                seen = self._activates(name)
                handles.append(module.register_forward_hook(seen, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def operation(self, func: Any, args: tuple[Any, ...], kwargs: Any, out: Any) -> None:
        if self._inside:
            return
        for tensor in tensors((args, kwargs)):
            self._read(tensor, "")
            if id(tensor) in self._parameters and not self.trace.flow.knows(tensor):
                name = self._parameters[id(tensor)]
                reason = f"it meets {name}, a parameter outside of a known layer"
                self.trace.flow.fix(tensor, reason)
        propagate(self.trace.flow, func, args, kwargs, out)
        if not any(result.alias_info for result in func._schema.returns):
            self._fresh.update((id(tensor), tensor) for tensor in tensors(out))

    def _activates(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            given = tensors((args, kwargs))
            self._activated.setdefault(name, []).extend(given)
            if self._inside:
                self._hidden.add(name)  # what else is read in there is not seen
            if module.inplace and all(map(self._is_lone, given)):
                self._overwritten.add(name)  # what is read later is what the activation made

        return hook

    def _read(self, tensor: Tensor, reader: str) -> None:
        self._readers.setdefault(id(tensor), []).append(reader)

    def _before(self, module: nn.Module, args: Any) -> None:
        self._inside += 1

    def _after(self, name: str, ran: Any) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._inside -= 1
            if not self._inside:
                with _disable_current_modes():
                    ran(name, module, tensors((args, kwargs)), tensors(output)[0])

        return hook

    def _ran(self, name: str, module: nn.Module, given: list[Tensor], output: Tensor) -> None:
        self._count(name, module, given, output)
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
        self.trace.calls[name].across = rest[0].flatten() if len(rest) == 1 else None
        mixes_places = kinds.known_kind(module).layer == "conv"
        self._rules.give(name, module, output, [] if mixes_places else rest)

    def _stop(self, name: str, module: nn.Module, given: list[Tensor], output: Tensor) -> None:
        """What a module of unknown channels reads stays."""
        for tensor in given:
            self._read(tensor, "")
            reason = f"it meets {name}, a recurrent layer, which stays as it is"
            self.trace.flow.refuse(self.trace.flow.planes(tensor), reason)

    def _count(self, name: str, module: nn.Module, given: list[Tensor], output: Tensor) -> None:
        kind, shape = kinds.known_kind(module), tuple(given[0].shape)
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


def _is_recurrent(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase | nn.RNNCellBase)


def _three(given: list[Tensor]) -> list[Tensor]:
    """Query, key and value; one that is given once is all of them."""
    return (given[:3] if len(given) > 2 else given * 3)[:3]
