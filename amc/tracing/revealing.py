"""Networks and inputs on which mistakes show: random weights, wide numbers, noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from amc.modules import (
    Inputs,
    call,
    changed,
    duplicate,
    first_call,
    kinds,
    other_calls,
    plain_attention,
    samples_of,
    shapes,
)
from amc.surgery import like
from amc.tracing.dependence import Dependence

WIDE = 4
"""Bytes of a number that is exact enough to tell a mistake from rounding."""

SMALLEST = 0.1
"""Of a parameter that is positive everywhere: it may stand under a root or in a logarithm."""


def revealing(inputs: Inputs) -> Any:
    """Inputs that hide no mistake: wide numbers, and noise where all are alike."""
    return changed(inputs, _reveal)


def _reveal(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.is_nested:
        return tensor
    wide = tensor.float() if tensor.element_size() < WIDE else tensor
    alike = wide.numel() > 1 and wide.dim() > 1 and bool((wide == wide.flatten()[0]).all())
    return torch.randn(wide.shape, generator=_generator()).to(wide) if alike else wide


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def tried_on(model: nn.Module, inputs: Inputs) -> nn.Module:
    """A copy that hides no mistake, as zeros, tiny scales and streams that swell would.

    In evaluation mode, its weights and statistics drawn at random.

    Args:
        model: Left as it is.
        inputs: Of its forward pass, as `revealing` has them.
    """
    memo = dict(_noise_for(model))
    copied = duplicate(model, memo).eval()
    _measure_norms(copied, inputs)
    return copied


def _measure_norms(model: nn.Module, inputs: Inputs) -> None:
    """In place: statistics of norms that are near those of what they read.

    Otherwise what residual blocks add grows from block to block, until the last ones hide whatever
    the first ones add.
    """
    generator = _generator()

    def measure(norm: nn.Module, args: tuple[Any, ...]) -> None:
        read = args[0] if args and isinstance(args[0], Tensor) else None
        mean, variance = (getattr(norm, name, None) for name in STATISTICS)
        if read is None or read.dim() < 2 or not isinstance(mean, Tensor) or variance is None:
            return
        if read.shape[1] != len(mean) or read.numel() < 2 * len(mean):
            return
        each = read.detach().transpose(0, 1).flatten(1).float()
        spread = each.var(1, correction=0) + SMALLEST
        noise = torch.randn((2, len(mean)), generator=generator).to(each)
        mean.copy_(each.mean(1) + 0.3 * noise[0] * spread.sqrt())
        variance.copy_(spread * (0.6 + 0.3 * noise[1].abs()))

    norms = [one for one in model.modules() if getattr(one, "running_var", None) is not None]
    if not norms:
        return
    handles = [norm.register_forward_pre_hook(measure) for norm in norms]
    try:
        with torch.no_grad(), plain_attention():
            call(model, inputs)
    finally:
        for handle in handles:
            handle.remove()


STATISTICS = ("running_mean", "running_var")


def _noise_for(model: nn.Module) -> Iterator[tuple[int, Tensor]]:
    """Of each tensor, by its id, what stands in its place: noise, or wider numbers."""
    noise = _Noise()
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point() and tensor.element_size() < WIDE:
            yield id(tensor), like(tensor, tensor.detach().float())
    for module in model.modules():
        for name, tensor in _own(module):
            own = noise.of(module, name, tensor.shape)
            positive = tensor.numel() > 1 and float(tensor.detach().min()) > 0
            drawn = own.abs() + SMALLEST if positive else own
            wide = tensor.dtype if tensor.element_size() >= WIDE else torch.float32
            yield id(tensor), like(tensor, drawn.to(tensor.device, wide))


def _own(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in module.named_parameters(recurse=False):
        if tensor.is_floating_point():
            yield name, tensor
    for name in STATISTICS:
        statistic = getattr(module, name, None)
        if isinstance(statistic, torch.Tensor):
            yield name, statistic


@dataclass
class _Noise:
    """Random numbers as tensors of networks have them."""

    generator: torch.Generator = field(default_factory=_generator)

    @cached_property
    def drawn(self) -> Tensor:
        """What large tensors repeat, each from another place on."""
        return torch.randn(DRAWN, generator=self.generator)

    def of(self, module: nn.Module, name: str, shape: torch.Size) -> Tensor:
        """For a tensor of a module, of this name and shape."""
        noise = self._plain(shape)
        if len(shape) > 1:
            swapped = (
                kinds.kind_of(module) is not None and kinds.known_kind(module).weight[0] == "in"
            )
            read = shape[0] * shape[2:].numel() if swapped else shape[1:].numel()
            return noise.mul_((2 / max(read, 1)) ** 0.5)
        positive = name == "running_var" or (name == "weight" and kinds.kind_of(module) is not None)
        return noise.abs() * 0.3 + 0.6 if positive else noise * 0.3

    def _plain(self, shape: torch.Size) -> Tensor:
        count = shape.numel()
        if count <= DRAWN:
            return torch.randn(shape, generator=self.generator)
        start = int(torch.randint(DRAWN, (), generator=self.generator))
        times = -(-(start + count) // DRAWN)
        return self.drawn.repeat(times)[start : start + count].reshape(shape)


DRAWN = 1_000_003
"""Numbers after which noise begins anew, as drawing more would be most of the time: a prime, so
that no two rows of a matrix are the same."""


def several_samples(model: nn.Module, inputs: Inputs) -> tuple[Inputs, Dependence]:
    """Inputs of several samples, where the network takes them: one hides what has one place.

    With what the first call of them shows.
    """

    def twice(tensor: Tensor) -> Tensor:
        batched = tensor.dim() and tensor.shape[0] == 1
        return torch.cat([tensor, other_numbers(tensor)]) if batched else tensor

    several: Inputs = changed(inputs, twice) if samples_of(inputs) == 1 else inputs
    if shapes(several) != shapes(inputs):
        with suppress(Exception):  # code that fixes a number of samples may raise anything
            seen = Dependence.of(model, first_call(several))
            with torch.no_grad(), plain_attention():
                for one in other_calls(several):
                    call(model, one)
            return several, seen
    try:
        return inputs, Dependence.of(model, first_call(inputs))
    except Exception:  # code that goes on without gradients alone shows nothing of what depends
        return inputs, Dependence({}, ())


def other_numbers(tensor: Tensor) -> Tensor:
    """Of the same shape and type, other ones."""
    if tensor.is_floating_point():
        return tensor.flip(-1) * 0.5 + 0.1
    return tensor.roll(1, -1) if tensor.dim() else tensor
