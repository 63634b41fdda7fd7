"""Labelled samples held in memory: what calibration, evaluation and fine-tuning read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Network inputs with their class labels.

    Args:
        inputs: (samples, ...) of any dtype; uint8 images stay uint8 in memory and are turned
            into float32 in [0, 1] one batch at a time.
        labels: (samples,) int64 class indices.
        mean: Per-channel mean subtracted from uint8 images after scaling to [0, 1].
        std: Per-channel standard deviation that they are divided by.

    Raises:
        ValueError: if inputs and labels, or mean and std, have different lengths, or there are no
            samples.
    """

    inputs: Tensor
    labels: Tensor
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise ValueError(
                f"samples: {len(self.inputs)} inputs but {len(self.labels)} labels; "
                "give one label per input"
            )
        if len(self.labels) == 0:
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
    def _arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        # Kept, because joblib knows by the object that it has shared an array already.
        return self.inputs.numpy(), self.labels.numpy()

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor | slice) -> Samples:
        """The samples at `indices`, in that order."""
        return Samples(self.inputs[indices], self.labels[indices], self.mean, self.std)

    def floats(
        self, indices: Tensor | slice = slice(None), device: torch.device | str | None = None
    ) -> Tensor:
        """Network inputs at `indices`: uint8 becomes normalised float32, the rest is left alone.

        Args:
            indices: Which.
            device: Where they are wanted, and scaled; None leaves them where they are.
        """
        # Bytes travel four times as fast as floats.
        chosen = self.inputs[indices].to(device)
        if chosen.dtype != torch.uint8:
            return chosen
        scaled = chosen.to(torch.float32).div_(255.0)
        if not self.mean:
            return scaled
        shape = (1, -1) + (1,) * (scaled.dim() - 2)
        mean = torch.tensor(self.mean, device=scaled.device).view(shape)
        std = torch.tensor(self.std, device=scaled.device).view(shape)
        return scaled.sub_(mean).div_(std)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of consecutive batches of at most `size` samples."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self.floats(part), self.labels[part]

    def split(self, first: int, seed: int) -> tuple[Samples, Samples]:
        """A random `first` samples and the rest, the same for the same seed."""
        if not 0 < first < len(self):
            raise ValueError(
                f"samples: cannot take {first} of {len(self)} and leave some; "
                f"ask for 1 to {len(self) - 1}"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:first]), self.take(order[first:])


def _of_arrays(
    inputs: NDArray[Any], labels: NDArray[Any], mean: tuple[float, ...], std: tuple[float, ...]
) -> Samples:
    return Samples(torch.from_numpy(inputs), torch.from_numpy(labels), mean, std)
