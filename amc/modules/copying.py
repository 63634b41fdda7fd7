"""Copies of networks as people leave them: wrapped, and with activations that they have kept."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from amc.modules.inputs import tensors
from amc.modules.kinds import weight_norm_of, weight_of


def duplicate(model: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy; activations that modules keep with their history are copied without it.

    Args:
        model: Left as it is.
        memo: What stands in the place of some of its parts, as for `copy.deepcopy`.
    """
    known = {} if memo is None else memo
    for module in model.modules():
        for tensor in tensors(list(vars(module).values())):
            if not tensor.is_leaf:  # deepcopy refuses those
                known.setdefault(id(tensor), tensor.detach().clone())
    return forget_cached(copy.deepcopy(model, known))


def forget_cached(model: nn.Module) -> nn.Module:
    """In place: empty the tables of tensors that modules keep to not compute them twice.

    What stands in them was computed from parameters that a cut changes.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            if "cache" in name and isinstance(value, dict) and tensors(value):
                setattr(module, name, {})
    return model


def unwrapped(model: nn.Module) -> nn.Module:
    """The network itself, without what `DataParallel` or `torch.compile` put around it.

    So its layers have the names that they have everywhere else.
    """
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        inner: Any = model.module if isinstance(model, wrappers) else None
        if inner is None:
            inner = getattr(model, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def without_weight_norms(model: nn.Module) -> nn.Module:
    """The network with plain weights where weight norm computes them; itself where none does."""
    if not any(weight_norm_of(module) for module in model.modules()):
        return model
    plain = duplicate(model)
    for module in list(plain.modules()):
        if weight_norm_of(module) is not None:
            weight = weight_of(module).detach()
            _forget_weight_norm(module)
            module.register_parameter("weight", nn.Parameter(weight))
    return plain


def _forget_weight_norm(module: nn.Module) -> None:
    """In place. PyTorch's own functions change the class, which other copies have as well."""
    if is_parametrized(module, "weight"):
        module.__class__ = type_before_parametrizations(module)
        del module.parametrizations
        return
    for key, hook in list(module._forward_pre_hooks.items()):
        if type(hook).__name__ == "WeightNorm":
            del module._forward_pre_hooks[key]
    del module._parameters["weight_g"], module._parameters["weight_v"], vars(module)["weight"]
