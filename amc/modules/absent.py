"""What stands in the place of a part of the network that is gone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from amc.modules.inputs import tensors

RELU = "relu()"
"""In place of a module's name: the function."""


class Constant(nn.Module):
    """What a part of the network made of anything: a constant for each channel.

    Plain attributes of that part can still be read here.

    Args:
        constant: Of one place along every axis but the channels'.
        part: As it was.
        axis: Of the channels, from the last.
        filled: Make all places that the first tensor has which the module reads.
        returns: Length of the tuple that is returned, the constant first; 0 returns a tensor.

    Attributes:
        constant: A parameter, so that it can be trained further.
    """

    def __init__(
        self, constant: Tensor, part: nn.Module, axis: int, filled: bool, returns: int
    ) -> None:
        super().__init__()
        _keep_plain(self, part)
        self.constant = nn.Parameter(constant, constant.requires_grad)
        self.axis, self.filled, self.returns = axis, filled, returns

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The constant, in the structure that the former module returned."""
        # A copy: whoever reads it may change it in place, or view it otherwise.
        made = self.constant.clone()
        if self.filled:
            shape = list(_first(args, kwargs).shape)
            shape[self.axis] = made.shape[self.axis]
            made = made.expand(shape).contiguous()
        return _returned(made, self.returns)


class Passing(nn.Module):
    """Hands on the first tensor that it reads.

    Args:
        part: What was in its place.
        returns: Length of the tuple that is returned, the tensor first; 0 returns a tensor.
    """

    def __init__(self, part: nn.Module, returns: int) -> None:
        super().__init__()
        _keep_plain(self, part)
        self.returns = returns

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What it reads, in the structure that the former module returned."""
        # A copy: an activation behind it may work in place, and others read the input too.
        return _returned(_first(args, kwargs).clone(), self.returns)


class Bypass(nn.Module):
    """A residual block without its branch.

    Modules of the block that stay keep their names.

    Args:
        constant: What the branch adds, of one place along every axis but the channels'.
        block: As it was.
        shortcut: Name of the module of the block that its input runs through; empty for none.
        activation: The same of what runs last, or `RELU`.
    """

    def __init__(self, constant: Tensor, block: nn.Module, shortcut: str, activation: str) -> None:
        super().__init__()
        _keep_plain(self, block)
        self.constant = nn.Parameter(constant, constant.requires_grad)
        self._shortcut = shortcut
        self._activation = "activation" if activation == RELU else activation
        if activation == RELU:
            self.activation = nn.ReLU()
        for name in {shortcut, activation} - {"", RELU}:
            self.add_module(name, block.get_submodule(name))

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The shortcut of the input and the constant."""
        x = _first(args, kwargs)
        made: Tensor = self.get_submodule(self._shortcut)(x) if self._shortcut else x
        made = made + self.constant
        return self.get_submodule(self._activation)(made) if self._activation else made


def _keep_plain(module: nn.Module, part: nn.Module) -> None:
    """Attributes that code around a part may read, such as its number of heads."""
    for name, value in vars(part).items():
        if _is_plain(value) and name not in vars(module):
            setattr(module, name, value)
    if isinstance(part, nn.MultiheadAttention):
        # PyTorch's encoders then leave their fused kernel alone.
        vars(module)["batch_first"] = False


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def found(model: nn.Module, name: str) -> nn.Module:
    """A module by its dotted name; one that does nothing where it went with a branch."""
    module: nn.Module | None = model
    for part in name.split("."):
        module = None if module is None else module._modules.get(part)
    return nn.Identity() if module is None else module


def _first(args: Any, kwargs: Any) -> Tensor:
    return next(iter(tensors((args, kwargs))))


def _returned(made: Tensor, returns: int) -> Any:
    return (made, *[None] * (returns - 1)) if returns else made


def spread(numbers: Tensor, axis: int, axes: int) -> Tensor:
    """(channels,) numbers as a tensor of so many axes, along one that counts from the last."""
    shape = [1] * axes
    shape[axis] = -1
    return numbers.reshape(shape)
