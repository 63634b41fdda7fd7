"""Samples held in memory: what calibration, evaluation and fine-tuning read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from amc.modules import changed, tensors

Own = TypeVar("Own", bound="Indexed")


class Indexed(ABC):
    """Samples that can be had in any order: held in memory, or read when they are asked for."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def take(self: Own, indices: Tensor | slice) -> Own:
        """The samples at `indices`, in that order."""

    @abstractmethod
    def batch(
        self, indices: Tensor | slice, device: torch.device | str | None = None
    ) -> tuple[Any, Any]:
        """(inputs, labels) at `indices`; the inputs on a device, labels where they are."""

    @abstractmethod
    def held(self) -> Samples:
        """All of them in memory."""

    def batches(self, size: int) -> Iterator[tuple[Any, Any]]:
        """(inputs, labels) of consecutive batches of at most `size` samples."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))

    def split(self: Own, first: int, seed: int) -> tuple[Own, Own]:
        """A random `first` samples and the rest, the same for the same seed.

        Raises:
            ValueError: if one of the two would have none.
        """
        if not 0 < first < len(self):
            raise ValueError(
                f"samples: cannot take {first} of {len(self)} and leave some; "
                f"ask for 1 to {len(self) - 1}"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:first]), self.take(order[first:])


@dataclass(frozen=True)
class Samples(Indexed):
    """Network inputs, and what is known of each: labels, targets, or nothing.

    Args:
        inputs: (samples, ...) of any dtype; uint8 images stay uint8 in memory and are turned
            into float32 in [0, 1] one batch at a time. Of a network of several inputs a tuple of
            the forward's arguments, or a mapping of those by name, all (samples, ...).
        labels: (samples, ...): class indices, masks, targets; nested as inputs may be; None where
            there are none.
        mean: Per-channel mean subtracted from uint8 images after scaling to [0, 1].
        std: Per-channel standard deviation that they are divided by.

    Raises:
        ValueError: if inputs and labels, or mean and std, have different lengths, or there are no
            samples.
    """

    inputs: Tensor | tuple[Any, ...] | Mapping[str, Any]
    labels: Any = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        inputs, labels = tensors(self.inputs), tensors(self.labels)
        if not inputs:
            raise ValueError(
                f"samples: inputs are {type(self.inputs).__name__} without a tensor; give a "
                "tensor, or a tuple or mapping of them"
            )
        count = len(inputs[0])
        if uneven := next((len(one) for one in inputs if len(one) != count), None):
            raise ValueError(
                f"samples: one input has {count} samples and another {uneven}; give all as many"
            )
        if uneven := next((len(one) for one in labels if len(one) != count), None):
            raise ValueError(
                f"samples: {count} inputs but {uneven} labels; give one label per input"
            )
        if count == 0:
            raise ValueError("samples: there are none; give at least one input with its label")
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"samples: mean has {len(self.mean)} channels but std {len(self.std)}; "
                "give both for every channel, or neither"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """As arrays, which joblib shares with its processes, where it would copy tensors."""
        return _of_arrays, (*self._arrays, self.mean, self.std)

    @cached_property
    def _arrays(self) -> tuple[Any, Any]:
        # Kept, because joblib knows by the object that it has shared an array already.
        return changed(self.inputs, _array), changed(self.labels, _array)

    def __len__(self) -> int:
        return len(tensors(self.inputs)[0])

    def held(self) -> Samples:
        """These, as they are in memory."""
        return self

    @property
    def array(self) -> Tensor:
        """The inputs of a network that takes one tensor.

        Raises:
            ValueError: if there are several.
        """
        if not isinstance(self.inputs, Tensor):
            raise ValueError("samples: inputs are several tensors where one is asked for")
        return self.inputs

    def take(self, indices: Tensor | slice) -> Samples:
        """The samples at `indices`, in that order."""

        def taken(one: Tensor) -> Tensor:
            return one[indices]

        return Samples(
            changed(self.inputs, taken), changed(self.labels, taken), self.mean, self.std
        )

    def floats(
        self, indices: Tensor | slice = slice(None), device: torch.device | str | None = None
    ) -> Any:
        """Network inputs at `indices`: uint8 becomes normalised float32, the rest is left alone.

        Args:
            indices: Which.
            device: Where they are wanted, and scaled; None leaves them where they are.
        """
        return changed(self.inputs, lambda one: self._scaled(one[indices].to(device)))

    def _scaled(self, chosen: Tensor) -> Tensor:
        # Bytes travel four times as fast as floats.
        if chosen.dtype != torch.uint8:
            return chosen
        scaled = chosen.to(torch.float32).div_(255.0)
        if not self.mean:
            return scaled
        shape = (1, -1) + (1,) * (scaled.dim() - 2)
        mean = torch.tensor(self.mean, device=scaled.device).view(shape)
        std = torch.tensor(self.std, device=scaled.device).view(shape)
        return scaled.sub_(mean).div_(std)

    def batch(
        self, indices: Tensor | slice, device: torch.device | str | None = None
    ) -> tuple[Any, Any]:
        """(inputs, labels) at `indices`; the inputs on a device, labels where they are."""
        return self.floats(indices, device), changed(self.labels, lambda one: one[indices])


def _array(one: Tensor) -> Any:
    return one.numpy()


def _of_arrays(
    inputs: Any, labels: Any, mean: tuple[float, ...], std: tuple[float, ...]
) -> Samples:
    return Samples(_tensors(inputs), _tensors(labels), mean, std)


def _tensors(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _tensors(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_tensors(one) for one in value)
    return None if value is None else torch.from_numpy(value)
