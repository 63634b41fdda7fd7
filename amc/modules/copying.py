"""Copies of networks as people leave them: wrapped, and with activations that they have kept."""

from __future__ import annotations

import copy
from collections import OrderedDict
from functools import cache
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
        held = [value for value in vars(module).values() if type(value) not in ATOMIC]
        for tensor in tensors(held):
            if not tensor.is_leaf:  # deepcopy refuses those
                known.setdefault(id(tensor), tensor.detach().clone())
    return forget_cached(copied(model, known))


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


def copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """What `copy.deepcopy` makes of a module, several times as quick.

    Args:
        module: Left as it is.
        memo: What stands in the place of some of its parts; what is copied is added.
    """
    if id(module) in memo:
        known: nn.Module = memo[id(module)]
        return known
    of: Any = type(module)
    if not _copies_plainly(of) or "__deepcopy__" in vars(module):
        return copy.deepcopy(module, memo)
    new: nn.Module = of.__new__(of)
    memo[id(module)] = new
    own = dict(vars(module))
    own.pop("_compiled_call_impl", None)  # as `nn.Module.__getstate__` does
    for name, value in own.items():
        kind = type(value)
        if kind in ATOMIC:
            continue
        if id(value) in memo:
            own[name] = memo[id(value)]
        elif kind in EMPTY and not value:
            own[name] = memo[id(value)] = kind()
        elif name == "_modules":
            own[name] = {
                key: None if child is None else copied(child, memo) for key, child in value.items()
            }
        elif kind is not tuple or not ATOMIC.issuperset(map(type, value)):
            own[name] = copy.deepcopy(value, memo)
    vars(new).update(own)
    return new


EMPTY = frozenset((dict, OrderedDict, set))
"""Types of what is copied by making another, where nothing is in it."""


@cache
def _copies_plainly(kind: Any) -> bool:
    """Whether a copy of a module of this type has copies of all its attributes, and no more."""
    loads = kind.__setstate__
    own = loads in (nn.Module.__setstate__, nn.modules.conv._ConvNd.__setstate__)
    plain = kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__
    bases = (one for one in kind.__mro__ if one not in (nn.Module, object))
    told = any("__getstate__" in vars(one) for one in bases)
    return own and plain and not told and not hasattr(kind, "__deepcopy__")


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
