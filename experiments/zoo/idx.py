"""The idx format of MNIST and its successors: a magic number, the shape, the bytes.

Source: the format's description on http://yann.lecun.com/exdb/mnist (unsigned bytes only).
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, dims: int) -> Tensor:
    """The array in a gzipped idx file, as a writable uint8 tensor of `dims` dimensions.

    Raises:
        ValueError: if the file is not whole, or is not an idx file of that many dimensions.
    """
    data = _decompress(path)
    header = 4 + 4 * dims
    if len(data) < header or data[:4] != bytes((0, 0, _UNSIGNED_BYTE, dims)):
        raise ValueError(
            f"{path}: not an idx file of unsigned bytes in {dims} dimensions; fetch it again"
        )
    shape = tuple(int(size) for size in np.frombuffer(data[4:header], dtype=">u4"))
    if len(data) - header != math.prod(shape):
        raise ValueError(
            f"{path}: its header promises {math.prod(shape)} bytes ({shape}) but "
            f"{len(data) - header} follow; fetch it again"
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy())


def read_idx_pair(images: Path, labels: Path, classes: int) -> tuple[Tensor, Tensor]:
    """Images (samples, 1, height, width) uint8 and labels (samples,) int64 below `classes`.

    Raises:
        ValueError: if a file is damaged, or the two do not belong together.
    """
    pixels, targets = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(targets):
        raise ValueError(
            f"{labels}: {len(targets)} labels for the {len(pixels)} images of {images.name}; "
            "fetch both again"
        )
    if len(targets) and int(targets.max()) >= classes:
        raise ValueError(
            f"{labels}: label {int(targets.max())} where {classes} classes end at "
            f"{classes - 1}; fetch it again"
        )
    return pixels.unsqueeze(1), targets.long()


def _decompress(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path}: damaged or cut short ({error}); delete it and fetch it again"
        ) from error
