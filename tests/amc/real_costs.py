"""What networks really hold, store and move: oracles of the costs that measure the cut network."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from amc.graph import PruningGraph
from amc.modules.inputs import Inputs, call, tensors


class Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages that are alive, by weak references to them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive: set[int] = set()
        self._now = self.peak = 0

    def watch(self, found: Iterable[Tensor]) -> None:
        for tensor in found:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._alive:
                self._alive.add(storage._cdata)
                self._now += storage.nbytes()
                weakref.finalize(storage, self._end, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self._now)

    def _end(self, which: int, size: int) -> None:
        self._alive.remove(which)
        self._now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.watch(tensors(out))
        return out


def peak_bytes(model: nn.Module, inputs: Inputs) -> int:
    """Of weights, buffers, inputs, and all that the forward pass makes, at the worst moment."""
    storages = Storages()
    storages.watch((*model.parameters(), *model.buffers(), *tensors(inputs)))
    with torch.no_grad(), storages:
        call(model, inputs)
    return storages.peak


def stored_bytes(model: nn.Module, folder: Path) -> int:
    """What the safetensors file of a network holds behind its header."""
    path = folder / "model.safetensors"
    save_model(model, str(path))
    header = int.from_bytes(path.read_bytes()[:8], "little")
    return path.stat().st_size - 8 - header


def moved_words(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> int:
    """Numbers that a pass over one sample moves: weights, and what their layers read and make.

    PyTorch's own attention is not seen inside.
    """
    weights, others = 0, 0
    samples = len(tensors(inputs)[0])

    def words(tensor: Tensor) -> int:
        """Of one sample; positions of words are the same for all."""
        return tensor.numel() // (1 if len(tensor) % samples else samples)

    def moved(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal others
        rows_or_read = made if isinstance(module, nn.Embedding) else given[0]
        others += words(rows_or_read) + words(made)

    handles = []
    for layer in graph.layers:
        module = model.get_submodule(layer.name)
        if layer.kind != "norm":
            handles.append(module.register_forward_hook(moved))
        if layer.kind != "embedding":
            stored = module.state_dict().values()
            weights += sum(tensor.numel() for tensor in stored if tensor.is_floating_point())
    with torch.no_grad():
        call(model, inputs)
    for handle in handles:
        handle.remove()
    return weights + others
