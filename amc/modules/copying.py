"""Copies of networks as people leave them: wrapped, and with activations that they have kept."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from amc.modules.inputs import tensors
from amc.modules.kinds import as_it_came, weight_norm_of, weight_of


def duplicate(model: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy; activations that modules keep with their history are copied without it.

    Args:
        model: Left as it is.
        memo: What stands in the place of some of its parts, as for `copy.deepcopy`.
    """
    known = {} if memo is None else memo
    for module in model.modules():
        held = [value for value in vars(module).values() if type(value) not in ATOMIC]
        for tensor in tensors(held):
            if not tensor.is_leaf:  # deepcopy refuses those
                known.setdefault(id(tensor), tensor.detach().clone())
    for module in model.modules():
        if id(module) not in known and as_it_came(module) and not isinstance(module, nn.RNNBase):
            known[id(module)] = _plain(module, known)
    return forget_cached(copy.deepcopy(model, known))


def alias(model: nn.Module, *, trained: bool | None = None) -> nn.Module:
    """A copy with parameters of its own that have the same storage: for passes, and for no step.

    Args:
        model: Left as it is; statistics that a pass in training changes are those of the copy.
        trained: Whether its parameters take gradients; None for those that do in `model`.
    """
    memo = {}
    for own in model.parameters():
        takes = own.requires_grad if trained is None else trained and own.is_floating_point()
        memo[id(own)] = nn.Parameter(own.detach(), takes)
    return duplicate(model, memo)


ATOMIC = frozenset((bool, int, float, str, type(None)))
"""Types of values that are their own copies."""


def _plain(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """A deep copy of one of PyTorch's own modules without others inside, several times as quick."""
    copied = module.__new__(type(module))
    for name, value in vars(module).items():
        same = type(value) in ATOMIC or (
            type(value) is tuple and ATOMIC.issuperset(map(type, value))
        )
        nothing = isinstance(value, dict | set) and not value
        own = value if same else type(value)() if nothing else copy.deepcopy(value, memo)
        vars(copied)[name] = own
    return copied


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
