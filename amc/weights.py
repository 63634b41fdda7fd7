"""A network's tensors as a safetensors file; those that it ties together are stored once."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn


def save_weights(model: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the state dict; of several names of one tensor only the first is written.

    Args:
        model: Its tensors may have any layout, and share memory.
        path: File to write.
        metadata: Words that the file carries beside the tensors.

    Raises:
        OSError: if it cannot be written; names the file.
    """
    again = {name for names in _tied_names(model) for name in names[1:]}
    state = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
        if name not in again
    }
    # Not by save_file: it lets nobody else read the file, whatever the user's umask.
    data = save(state, dict(metadata or {}))
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file; nothing in it is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no weights at {path}; name a safetensors file")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error}); save it again") from None


def set_weights(model: nn.Module, state: dict[str, Tensor], source: object, what: str) -> None:
    """Put the tensors of a checkpoint into `model`, in place.

    Args:
        model: Of tensors that it ties together, `state` may hold one name or all.
        state: By name.
        source: Where `state` comes from, for messages.
        what: What messages call the network.

    Raises:
        ValueError: if `state` has other tensors than the network; names the first difference.
    """
    complete = copy(state)  # a copy keeps the versions that `torch.save` stores with it
    for names in _tied_names(model):
        given = [state[name] for name in names if name in state]
        complete.update({name: given[0] for name in names if given and name not in state})
    try:
        _load(model, complete)
    except RuntimeError as error:
        difference = _difference(model.state_dict(), complete) or str(error).partition("\n")[0]
        raise ValueError(
            f"{source} does not fit {what}: {difference}; give the model and width that it was "
            "trained with"
        ) from None


def _load(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load it; as of today's version where a module asks for one: safetensors stores none."""
    try:
        model.load_state_dict(state)
    except ValueError:
        versioned: Any = OrderedDict(state)
        versioned._metadata = vars(model.state_dict())["_metadata"]
        model.load_state_dict(versioned)


def restore(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Make the tensors of `state` those of `model`, in place, with the layout that they have.

    Args:
        model: With the names and shapes of `state`.
        state: What the state dict of the same network was, on any device.
    """
    for name, own in model.state_dict(keep_vars=True).items():
        own.data = state[name].to(own.device)


def _tied_names(model: nn.Module) -> list[list[str]]:
    """The names that the state dict has for each tensor with several."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, tensor in model.state_dict(keep_vars=True).items():
        names[id(tensor)].append(name)
    return [several for several in names.values() if len(several) > 1]


def _difference(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """The first difference between two state dicts, in words; empty if there is none."""
    for name, tensor in wanted.items():
        if name not in found:
            return f"it has no {name!r}"
        if found[name].shape != tensor.shape:
            has, needs = tuple(found[name].shape), tuple(tensor.shape)
            return f"{name!r} is {has} there where the network has {needs}"
    extra = [name for name in found if name not in wanted]
    return f"it also has {extra[0]!r}" if extra else ""
