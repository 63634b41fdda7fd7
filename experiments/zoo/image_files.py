"""Images in files: decoded when they are asked for, and never all of them held."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amc.devices import on_all_cores
from amc.tasks import Indexed, Samples

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels: TypeAlias = NDArray[np.uint8]  # (height, width) if grey, else (height, width, 3)

HELD = 256 * 2**20
"""Bytes of pixels that are held in memory at most."""
AT_ONCE = 64
"""Images that one thread decodes before it is asked for more."""


class ImageFiles(Indexed):
    """Labelled images of one size, each in a file.

    Args:
        root: Folder that the files lie below.
        names: Of the files, from there.
        labels: (files,) int64 class indices.
        size: (width, height) that images are brought to.
        colour: Whether they have three channels, or one.
        mean: Of each channel, in [0, 1].
        std: The same.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        labels: Tensor,
        size: tuple[int, int],
        *,
        colour: bool,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
    ) -> None:
        self._root, self._names, self.labels = root, names, labels
        self.size, self.colour, self.mean, self.std = size, colour, mean, std

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        return 3 if self.colour else 1, self.size[1], self.size[0]

    @property
    def nbytes(self) -> int:
        """Of all pixels, were they decoded."""
        return len(self) * int(np.prod(self.shape))

    @property
    def fingerprint(self) -> str:
        """A checksum of the files' names and sizes, and of what is made of them."""
        found = hashlib.sha256(repr((self.size, self.colour, self.mean, self.std)).encode())
        for name in self._names:
            found.update(f"{name} {os.path.getsize(self._root / name)} ".encode())
        found.update(self.labels.numpy().data)
        return found.hexdigest()

    def take(self, indices: Tensor | slice) -> ImageFiles:
        """The images at `indices`, in that order."""
        places = torch.arange(len(self))[indices].tolist()
        return self._with([self._names[at] for at in places], self.labels[indices])

    def normalised(self, mean: tuple[float, ...], std: tuple[float, ...]) -> ImageFiles:
        """The same, of which these are taken away and divided by."""
        made = self._with(self._names, self.labels)
        made.mean, made.std = mean, std
        return made

    def _with(self, names: Sequence[str], labels: Tensor) -> ImageFiles:
        return ImageFiles(
            self._root, names, labels, self.size, colour=self.colour, mean=self.mean, std=self.std
        )

    def batch(
        self, indices: Tensor | slice, device: torch.device | str | None = None
    ) -> tuple[Any, Any]:
        """(inputs, labels) at `indices`; the inputs normalised, on a device."""
        return self.take(indices).held().batch(slice(None), device)

    def held(self) -> Samples:
        """All of them decoded, in memory.

        Raises:
            ValueError: if one cannot be read; names it.
        """
        parts = [self._names[at : at + AT_ONCE] for at in range(0, len(self), AT_ONCE)]
        pixels = torch.from_numpy(np.concatenate(on_all_cores(self._decoded, parts)))
        return Samples(pixels, self.labels, self.mean, self.std)

    def _decoded(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """(images, channels, height, width)."""
        made = [planes(fitted(self._root / name, self.size), self.colour) for name in names]
        # Stacked as they are, they would lie channels last.
        return np.ascontiguousarray(np.stack(made))


def fitted(path: Path, size: tuple[int, int]) -> Pixels:
    """An image, resized (bilinear) to cover a size and cropped around its centre."""
    from PIL import Image, ImageOps

    image = opened(path)
    return np.asarray(ImageOps.fit(image, size, Image.Resampling.BILINEAR), dtype=np.uint8)


def opened(path: Path) -> Image:
    """The image, upright, as 8-bit grey ("L") or colour ("RGB").

    Raises:
        ValueError: if it cannot be read; names it.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            mode = target_mode(image, path)
            return ImageOps.exif_transpose(image).convert(mode)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error}); mend or remove it") from error


def is_colour(path: Path) -> bool:
    """Whether an image has colours, by its header alone.

    Raises:
        ValueError: if it cannot be read; names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return target_mode(image, path) == "RGB"
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error}); mend or remove it") from error


def target_mode(image: Image, path: Path) -> str:
    """What the image is turned into: grey or colour."""
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"{path}: pixels of mode {image.mode}; save it with 8 bits a channel instead"
        )
    return "L" if image.mode in {"1", "L", "LA"} else "RGB"


def planes(pixels: Pixels, colour: bool) -> NDArray[Any]:
    """(channels, height, width): grey repeated where the data set is in colour, or the reverse."""
    if pixels.ndim == 3:
        if colour:
            return pixels.transpose(2, 0, 1)
        grey: NDArray[Any] = pixels.mean(2).round().astype(np.uint8)[None]
        return grey
    return np.repeat(pixels[None], 3 if colour else 1, axis=0)
