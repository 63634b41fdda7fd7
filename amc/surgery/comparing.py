"""Two networks on the same inputs, module by module: where a cut one first differs from the masked.

Outputs at the end of a deep network hide what goes wrong in one block of it, and outputs of other
channels set another tolerance. So each module of a known kind is compared where it runs, in the
channels that stay, and each channel by its own size.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from amc.graph import Side
from amc.modules import Inputs, call, kinds, plain_attention, tensors

FLOOR = 1e-2
"""Of a channel's size, as a part of the whole tensor's: what is smaller is rounding."""

Made = tuple[str, Tensor]
"""What a module of this name made; of an empty name what the network returned."""


class _EnoughError(Exception):
    """Ends a forward pass of which all is known that was asked for."""


@dataclass
class Seen:
    """What a network's modules made, in the order they ran.

    Args:
        names: The modules to look at.
        most: Modules after which the forward pass need not go on.
    """

    names: frozenset[str]
    most: float = math.inf
    made: list[Made] = field(default_factory=list)

    def run(self, model: nn.Module, inputs: Inputs) -> list[Made]:
        """All of them and the outputs; random numbers are the same in every run.

        Where a forward pass fails, `made` holds what was made before.
        """
        with torch.no_grad(), plain_attention(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            handles = [
                module.register_forward_hook(self._note(name))
                for name, module in model.named_modules()
                if name in self.names
            ]
            outputs: object = ()
            try:
                outputs = call(model, inputs)
            except _EnoughError:
                pass
            finally:
                for handle in handles:
                    handle.remove()
        return [*self.made, *(("", tensor) for tensor in tensors(outputs))]

    def _note(self, name: str) -> object:
        def hook(module: nn.Module, args: object, output: object) -> None:
            found = tensors(output)
            if found:
                self.made.append((name, found[0].detach()))
            if len(self.made) >= self.most:
                raise _EnoughError

        return hook


@dataclass(frozen=True)
class Difference:
    """Where a cut network first makes something else than the masked one.

    Args:
        where: Name of the module; empty for what the network returns.
        size: As a part of the numbers around it; infinite where shapes differ.
        before: How many modules ran before.
    """

    where: str
    size: float
    before: int

    def __str__(self) -> str:
        at = f" at {self.where}" if self.where else ""
        return f"its outputs then differ{at} from those with the same channels at zero"


def difference(
    found: list[Made],
    wanted: list[Made],
    model: nn.Module,
    staying: Mapping[tuple[str, Side], Tensor],
) -> Difference | None:
    """The first difference that is more than rounding; None where there is none.

    Args:
        found: What the cut one made.
        wanted: What the masked one made.
        model: The unpruned network.
        staying: The channels that stay of each side of a module that loses some.
    """
    waiting: dict[str, deque[Tensor]] = defaultdict(deque)
    for name, tensor in wanted:
        waiting[name].append(tensor)
    for before, (name, one) in enumerate(found):
        if not waiting[name]:
            continue  # A cut attention calls modules whose weights alone the whole one reads.
        other = waiting[name].popleft()
        if name:
            other = _staying(model, name, other, staying)
            if one.shape != other.shape:
                continue  # Places of it are channels of others.
        if other.is_floating_point() and one.shape == other.shape and other.numel():
            # The square root of the type's precision leaves room for another order of summation.
            most = torch.finfo(other.dtype).eps ** 0.5
            if not _surely_close(one, other, most) and not (size := distance(one, other)) <= most:
                return Difference(name, size, before)
        if one.shape != other.shape:
            return Difference(name, math.inf, before)
    return None


def _staying(
    model: nn.Module, name: str, made: Tensor, staying: Mapping[tuple[str, Side], Tensor]
) -> Tensor:
    """Of what a module made, the channels that stay."""
    maker = _maker(model, name)
    kept = staying.get((maker, "out"))
    if kept is None or not made.dim():
        return made
    axis = kinds.channel_axis(model.get_submodule(maker), tuple(made.shape))
    return made.index_select(axis, kept.to(made.device))


def _maker(model: nn.Module, name: str) -> str:
    """The module whose outputs those of this one are."""
    attention = isinstance(model.get_submodule(name), nn.MultiheadAttention)
    return f"{name}.out_proj" if attention else name


def distance(found: Tensor, wanted: Tensor) -> float:
    """How far two tensors are apart at most, as a part of the size of the channel it is in."""
    if found.shape != wanted.shape:
        return math.inf
    if not wanted.is_floating_point() or not wanted.numel():
        return 0.0
    if not torch.equal(found.isfinite(), wanted.isfinite()):
        return math.inf
    one, other = (part.nan_to_num(0.0, 0.0, 0.0) for part in (found, wanted))
    apart = (one - other).abs()
    return float((apart / _sizes(other)).nan_to_num(0.0).max())


def _surely_close(found: Tensor, wanted: Tensor, most: float) -> bool:
    """Whether no part of two tensors can be further apart than allowed: quickly told, by two sums.

    False where some of it is no number.
    """
    largest = float(torch.linalg.vector_norm(wanted, math.inf))
    apart = float(torch.linalg.vector_norm(found - wanted, math.inf))
    return math.isfinite(largest) and apart <= most * FLOOR * largest


def _sizes(tensor: Tensor) -> Tensor:
    """How large numbers are around each place: in its channel, along axis 1 or the last."""
    whole, axes = tensor.abs(), tensor.dim()
    largest = whole.max()
    sizes = largest.expand(tensor.shape)
    for axis in {1, axes - 1} if axes > 1 else ():
        others = [at for at in range(axes) if at != axis]
        sizes = torch.minimum(sizes, whole.amax(others, keepdim=True))
    return sizes.clamp(min=largest * FLOOR)
