"""PyTorch's recurrent layers: what lies along the axes of their weights."""

from __future__ import annotations

from typing import Any, Literal, TypeGuard

from torch import nn

Recurrent = nn.RNNBase | nn.RNNCellBase

Role = tuple[Literal["read", "hidden", "made"], int]
"""What lies along an axis, so many times one after the other: what the first layer reads, hidden
units, or what is made of these (the units themselves where nothing projects them)."""


def is_recurrent(module: nn.Module) -> TypeGuard[Recurrent]:
    """Whether this is an LSTM, a GRU, a plain recurrent layer, or a cell of one."""
    return isinstance(module, nn.RNNBase | nn.RNNCellBase)


def gates(module: Recurrent) -> int:
    """How often the hidden units lie along the first axis of a weight."""
    if isinstance(module, nn.LSTM | nn.LSTMCell):
        return 4
    return 3 if isinstance(module, nn.GRU | nn.GRUCell) else 1


def directions(module: Recurrent) -> int:
    """2 where a layer also runs backwards, and puts what it makes beside the other."""
    return 1 + bool(getattr(module, "bidirectional", False))


def axes_of(module: Recurrent) -> dict[str, tuple[Role, ...]]:
    """For each parameter by its name what lies along its axes; the same units in all layers."""
    hidden: Role = ("hidden", gates(module))
    found: dict[str, tuple[Role, ...]] = {}
    for key, parameter in module.named_parameters(recurse=False):
        if "weight_hr" in key:
            found[key] = (("made", 1), ("hidden", 1))
        elif parameter.dim() == 1:
            found[key] = (hidden,)
        elif "weight_hh" in key:
            found[key] = (hidden, ("made", 1))
        else:
            first = isinstance(module, nn.RNNCellBase) or "_l0" in key
            found[key] = (hidden, ("read", 1) if first else ("made", directions(module)))
    return found


def resize(module: Recurrent) -> None:
    """In place: make the module's own numbers agree with its weights."""
    own: Any = module
    cell = isinstance(module, nn.RNNCellBase)
    own.input_size = (own.weight_ih if cell else own.weight_ih_l0).shape[1]
    own.hidden_size = (own.weight_hh if cell else own.weight_hh_l0).shape[0] // gates(module)
    if isinstance(module, nn.RNNBase):
        own.proj_size = own.weight_hr_l0.shape[0] if module.proj_size else 0
        own._init_flat_weights()
