"""Modules of a user's own kind, declared: `amc.register`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from amc.modules.kinds import ATTENTION, GROUP_NORM, REGISTERED, TABLE, Kind


def register(
    module_type: type[nn.Module],
    *,
    like: type[nn.Module] | None = None,
    outputs: str = "",
    inputs: str = "",
    axes: Mapping[str, int] | None = None,
    channels: int = -1,
    mixes: bool = False,
) -> None:
    """Say what cannot be followed through the code of a module, such as a kernel of one's own.

    Either it computes what one of PyTorch's modules does, from tensors of the same names:

        amc.register(FusedLinear, like=nn.Linear, outputs="out_dim", inputs="in_dim")

    or it makes as many channels as it reads, each from the one at its place (or, with `mixes`, from
    all of them), with parameters or buffers that have numbers for each channel:

        amc.register(Scan, axes={"A_log": 0, "D": 0})

    Every instance counts, those of classes that inherit from it too. What is declared is proved
    like all else: a layer whose cut does not compute what it should stays whole.

    Args:
        module_type: The class.
        like: A convolution, linear layer, embedding, batch, instance, layer or RMS norm of PyTorch.
        outputs: Attribute that holds the number of output channels, where it is called otherwise
            than there; cutting sets it.
        inputs: The same of the input channels.
        axes: For each such parameter or buffer (dotted, where another module inside has it) the
            axis of its channels, from 0.
        channels: Axis of the channels in what a module with `axes` reads and makes: -1 or 1.
        mixes: Whether such a module takes its channels together, as a layer norm does.

    Raises:
        TypeError: if `module_type` is no class of modules.
        ValueError: if neither or both of `like` and `axes` are given, or either names nothing that
            is known.
    """
    if not (isinstance(module_type, type) and issubclass(module_type, nn.Module)):
        raise TypeError(
            f"amc.register: {module_type!r} is no class of modules; give the class, as in "
            "amc.register(FusedLinear, like=torch.nn.Linear)"
        )
    if (like is None) == (not axes):
        raise ValueError(
            f"amc.register: {module_type.__name__} needs either like= (a module of PyTorch) or "
            "axes= (its parameters, each with the axis of its channels)"
        )
    if channels not in (-1, 1):
        raise ValueError(
            f"amc.register: channels is {channels}; it must be -1 (the last axis) or 1"
        )
    if like is not None:
        REGISTERED[module_type] = _as(like, outputs, inputs)
        return
    declared = tuple((axes or {}).items())
    if negative := [name for name, axis in declared if axis < 0]:
        raise ValueError(
            f"amc.register: the axis of {negative[0]} is counted from 0, not from the end"
        )
    along = None if channels == 1 else 0
    REGISTERED[module_type] = Kind(
        "norm", ("out",), outputs, axes=along, mixes=mixes, declared=declared
    )


def _as(like: type[nn.Module], outputs: str, inputs: str) -> Kind:
    found = next((kind for listed, kind in TABLE if issubclass(like, listed)), None)
    if found is None or found in (ATTENTION, GROUP_NORM):
        raise ValueError(
            f"amc.register: like is {like.__name__}; it must be a convolution, linear layer, "
            "embedding, batch, instance, layer or RMS norm of torch.nn"
        )
    return replace(found, outputs=outputs or found.outputs, inputs=inputs or found.inputs)
