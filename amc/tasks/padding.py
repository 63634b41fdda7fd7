"""Where in a network's tensors the places lie that a mask tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import evaluating
from amc.modules import Inputs, call, changed, tensors

Mask = Callable[[Any], Tensor | None]
"""From a batch to (samples, places) which places are no padding; None where all are."""

Shape = tuple[int, ...]
Axis = int | None
"""Along which a tensor has the places of the inputs; None where it has none."""

OUTPUTS = ""
"""Names the network itself among its layers."""


@dataclass(frozen=True)
class Masked:
    """A tensor and which of it is no padding.

    Args:
        tensor: As a network has it.
        samples: How many.
        real: Of as many axes as `laid` gives, each as long or of one.
        axis: Of that, along which the places lie.
        second: Whether the tensor's samples come second.
    """

    tensor: Tensor
    samples: int
    real: Tensor
    axis: int
    second: bool = False

    @property
    def numbers(self) -> Tensor:
        """The tensor, its samples first."""
        return self.laid(self.tensor)

    def laid(self, tensor: Tensor) -> Tensor:
        """(samples, ...) another of the same shape; where places of all samples follow each other,
        they get an axis of their own."""
        if self.second:
            return tensor.transpose(0, 1)
        flat = self.real.dim() > tensor.dim()
        return tensor.reshape(self.samples, -1, *tensor.shape[1:]) if flat else tensor

    def back(self, numbers: Tensor) -> Tensor:
        """What was laid so, as the network has it."""
        return numbers.transpose(0, 1) if self.second else numbers.reshape(self.tensor.shape)


@dataclass(frozen=True)
class Padding:
    """What is padding in the batches of a task, and in what its network answers to them.

    Args:
        mask: Of a batch.
        axes: Of each output; None where that could not be tried, and sizes have to tell.
    """

    mask: Mask
    axes: tuple[Axis, ...] | None = None

    def on(self, number: int, output: Tensor, batch: Any) -> Masked | None:
        """An output and which of it is no padding; None where all counts."""
        real = self.mask(batch)
        if real is None:
            return None
        sizes, among = output.shape, range(1, output.dim())
        axis = likely_axis(real, sizes, among) if self.axes is None else self.axes[number]
        return None if axis is None else masked(real, output, axis)

    def blank(self, outputs: Any, batch: Any) -> Any:
        """The outputs with zeros where there is padding."""
        if self.mask(batch) is None:
            return outputs
        numbers = iter(range(len(tensors(outputs))))

        def blanked(output: Tensor) -> Tensor:
            found = self.on(next(numbers), output, batch)
            if found is None or not output.is_floating_point():
                return output
            return found.back(found.numbers.masked_fill(~found.real, 0))

        return changed(outputs, blanked)


def masked(real: Tensor, tensor: Tensor, axis: int) -> Masked | None:
    """A tensor beside a mask of its own length; None where that cannot be told.

    Args:
        real: (samples, places) of the batch.
        tensor: Whose places lie along `axis`: as many, or fewer or more in the same order.
        axis: 0 where the places of all samples follow each other, or where samples come second.
    """
    samples, real = len(real), real.to(tensor.device)
    second = axis == 0 and tensor.dim() > 2 and tensor.shape[1] == samples
    shape = list(tensor.shape)
    if second:
        shape[0], shape[1], axis = shape[1], shape[0], 1
    elif axis == 0 and shape[0] % samples == 0:
        shape, axis = [samples, shape[0] // samples, *shape[1:]], 1
    if axis == 0 or shape[0] != samples:
        return None
    places = shape[axis]
    wide = [places if at == axis else 1 for at in range(len(shape))]
    wide[0] = samples
    return Masked(tensor, samples, resampled(real, places).reshape(wide), axis, second)


def resampled(real: Tensor, places: int) -> Tensor:
    """(samples, places) the mask at another length: that of the nearest place."""
    given = real.shape[1]
    if given == places:
        return real
    nearest = ((torch.arange(places, device=real.device) + 0.5) * given / places).long()
    return real[:, nearest.clamp_max(given - 1)]


def likely_axis(real: Tensor, shape: Sequence[int], among: Sequence[int]) -> Axis:
    """Along which a tensor has the places of a mask, by its sizes alone.

    Args:
        real: (samples, places).
        shape: Of the tensor.
        among: The axes that may be.
    """
    samples, places = real.shape
    if shape[0] == samples * places > samples:
        return 0
    found = [axis for axis in among if shape[axis] == places]
    return found[0] if found and shape[0] == samples else None


def axes_of_places(
    model: nn.Module, inputs: Inputs, places: int, layers: Mapping[str, nn.Module]
) -> dict[str, tuple[Axis, ...]] | None:
    """Along which axes lie the places of what a network answers, and of what its layers read.

    It is run once more on shorter inputs: the axis that gets shorter is the one.

    Args:
        model: On the inputs' device.
        inputs: Of a few samples.
        places: How many these have.
        layers: By name, whose first inputs are asked for too.

    Returns:
        By the name of the layer, `OUTPUTS` for what the network answers; what does not run is
        missing. None where the network takes no shorter inputs.
    """
    less = places // 2
    whole = _shapes(model, inputs, layers) if less else None
    if whole is None:
        return None
    for shorter in _shorter(inputs, places, less):
        part = _shapes(model, shorter, layers)
        if part is not None and _tells(differing := _compared(whole, part)):
            return {
                name: tuple(axes[0] if len(axes) == 1 else None for axes in each)
                for name, each in differing.items()
            }
    return None


Differing = dict[str, list[list[int]]]
"""By name the axes along which each tensor differs."""


def _compared(whole: Mapping[str, list[Shape]], part: Mapping[str, list[Shape]]) -> Differing:
    return {
        name: [_differing(*pair) for pair in zip(shapes, part[name], strict=False)]
        for name, shapes in whole.items()
        if name in part
    }


def _differing(one: Shape, other: Shape) -> list[int]:
    if len(one) != len(other):
        return []
    return [axis for axis, sizes in enumerate(zip(one, other, strict=True)) if len(set(sizes)) > 1]


def _tells(differing: Differing) -> bool:
    """Whether what got shorter did so along one axis, for the most part, if anything did.

    Where a network takes it that a picture lost height and width, nothing tells which is time.
    """
    found = [len(axes) for each in differing.values() for axes in each if axes]
    return not found or 2 * sum(one == 1 for one in found) > len(found)


def _shorter(inputs: Inputs, places: int, less: int) -> Iterator[Inputs]:
    """The inputs with fewer places, cut along all axes that may be theirs, or one."""
    for chosen in (slice(None), slice(-1, None), slice(0, 1)):
        yield changed(inputs, partial(_cut, places=places, less=less, chosen=chosen))


def _cut(tensor: Tensor, places: int, less: int, chosen: slice) -> Tensor:
    axes = [axis for axis in range(1, tensor.dim()) if tensor.shape[axis] == places]
    for axis in axes[chosen]:
        tensor = tensor.narrow(axis, 0, less)
    return tensor


def _shapes(
    model: nn.Module, inputs: Inputs, layers: Mapping[str, nn.Module]
) -> dict[str, list[Shape]] | None:
    """Of what the network answers and its layers read first; None where it fails."""
    found: dict[str, list[Shape]] = {}

    def note(name: str, _: nn.Module, args: Any, kwargs: Any) -> None:
        found.setdefault(name, [tuple(one.shape) for one in tensors((args, kwargs))])

    with _watching(layers, note), evaluating(model), torch.inference_mode():
        try:
            outputs = call(model, inputs)
        except Exception:
            return None
    return {**found, OUTPUTS: [tuple(one.shape) for one in tensors(outputs)]}


@contextmanager
def _watching(layers: Mapping[str, nn.Module], note: Callable[..., None]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, layer in layers.items():
            handle = layer.register_forward_pre_hook(partial(note, name), with_kwargs=True)
            stack.callback(handle.remove)
        yield
