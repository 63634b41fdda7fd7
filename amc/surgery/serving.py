"""Operations over channels in a network of full size: taken over the channels that stay.

A cut norm, or a mean over channels in a network's own code, knows nothing of the channels that are
gone; in a masked network they are zeros, which would count.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from amc.graph import KeptUnits, PruningGraph
from amc.modules import arguments, call_with, kinds, operation_name, operations, tensors
from amc.surgery.cutting import staying

Over = dict[tuple[str, int], dict[int, Tensor]]
"""For operations by name and number, the places that stay along some axes of what they read."""


def staying_over(graph: PruningGraph, units: KeptUnits) -> Over:
    """Places that each operation over channels is to take, where some go."""
    found: Over = {}
    kept = staying(graph, units, lambda group: ((one, one.size) for one in group.statistics))
    for (operation, call, axis), places in kept.items():
        found.setdefault((operation, call), {})[axis] = places
    return found


class OnStaying(operations.Dispatching):  # type: ignore[no-untyped-call]
    """Within, operations over channels are taken over those that stay.

    Args:
        over: Places that stay.
    """

    def __init__(self, over: Over) -> None:
        super().__init__()
        self._over = over
        self._names = {name for name, _ in over}
        self._calls: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = operation_name(func)
        if name not in self._names:
            return func(*args, **(kwargs or {}))
        kept = self._over.get((name, self._calls[name]), {})
        self._calls[name] += 1
        return _taken(func, arguments(func, args, kwargs or {}), kept)

    def attach(self, model: nn.Module) -> nn.Module:
        """The network itself, which from now on runs so."""
        for table in kinds.HOOKS:  # those of a copy that shares may be the original's
            vars(model)[table] = copy.copy(vars(model)[table])
        model.register_forward_pre_hook(self._begin)
        model.register_forward_hook(self._end, always_call=True)
        return model

    def _begin(self, model: nn.Module, args: Any) -> None:
        self._calls.clear()
        self.__enter__()  # type: ignore[no-untyped-call]

    def _end(self, model: nn.Module, args: Any, output: Any) -> None:
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: Any) -> OnStaying:
        return OnStaying(self._over)


def _taken(func: Any, given: dict[str, Any], places: Mapping[int, Tensor]) -> Any:
    """What the operation makes of the places that stay, with zeros in the others."""
    if not places:
        return call_with(func, given)
    name = operation_name(func)
    first = next(key for key, value in given.items() if isinstance(value, Tensor))
    shape = given[first].shape
    along = {first, "weight", "bias"} if name in operations.LAYER_NORMS else {first}
    for axis, kept in places.items():
        for key in along:
            given[key] = _narrow(given[key], axis - len(shape), kept)
        if "normalized_shape" in given:
            given["normalized_shape"] = [len(kept)]
    out = call_with(func, given)
    if name in operations.REDUCTIONS:
        return out
    made = tensors(out)
    for axis, kept in places.items():
        made = [_widened(one, axis, shape, kept) for one in made]
    return tuple(made) if isinstance(out, tuple) else made[0]


def _narrow(value: Tensor | None, axis: int, kept: Tensor) -> Tensor | None:
    """What stays along an axis that is counted from the last."""
    if value is None:
        return None
    return value.index_select(value.dim() + axis, kept.to(value.device))


def _widened(made: Tensor, axis: int, shape: Sequence[int], kept: Tensor) -> Tensor:
    """All places again, where a result has the axis."""
    if made.dim() != len(shape) or made.shape[axis] != len(kept):
        return made
    full = made.new_zeros([shape[axis] if at == axis else n for at, n in enumerate(made.shape)])
    return full.index_copy(axis, kept.to(made.device), made)


@dataclass(frozen=True)
class OnKept:
    """Hooks by which a cut norm serves a network of full size: other channels become zero.

    Args:
        kept: Positions of the channels that stay.
        channels: How many there were.
    """

    kept: Tensor
    channels: int

    def attach(self, norm: nn.Module) -> nn.Module:
        """The norm itself, with hooks."""
        norm.register_forward_pre_hook(self.before)
        norm.register_forward_hook(self.after)
        return norm

    def before(self, norm: nn.Module, args: tuple[Tensor, ...]) -> Tensor:
        """The channels that the norm is for."""
        axis = kinds.channel_axis(norm, tuple(args[0].shape))
        return args[0].index_select(axis, self.kept.to(args[0].device))

    def after(self, norm: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """All channels again."""
        axis = kinds.channel_axis(norm, tuple(output.shape))
        shape = [self.channels if at == axis else size for at, size in enumerate(output.shape)]
        full = output.new_zeros(shape)
        return full.index_copy(axis, self.kept.to(output.device), output)
