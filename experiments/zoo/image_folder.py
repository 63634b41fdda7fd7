"""A folder of images as a data set: one folder a class.

Either PATH/train/CLASS/ and PATH/test/CLASS/, or PATH/CLASS/ alone, of which a fixed fifth of
every class becomes the test split.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.disk import memory_bytes
from experiments.zoo.image_dataset import ImageDataset, image_dataset

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"})
LONG_SIDE = 64
"""Pixels that no side exceeds unless a size is asked for."""
MOST_SIDE = 4096
"""Pixels that can be asked for."""
TEST_FRACTION = 0.2

Tree: TypeAlias = dict[str, list[Path]]  # class name -> its images
Pixels: TypeAlias = NDArray[np.uint8]  # (height, width) if grey, else (height, width, 3)


def image_folder(where: str) -> ImageDataset:
    """The images under PATH, or PATH@SIZE for images of SIZE x SIZE pixels.

    Without SIZE all images get the size of the first training image, shrunk to LONG_SIDE where
    it is larger. Others are resized (bilinear) to cover that size and cropped around the centre.
    One channel if every image is grey, else three.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it is not such a tree, or an image cannot be read.
    """
    root, side = _parse(where)
    train, test = _both_splits(root)
    first = next(iter(train.values()))[0]
    size = (side, side) if side else _default_size(first)
    _check_memory(where, size, sum(map(len, (_paths(train), _paths(test)))))
    pixels = [[_fit(path, size) for path in _paths(tree)] for tree in (train, test)]
    colour = any(array.ndim == 3 for split in pixels for array in split)
    images = [torch.from_numpy(np.stack([_planes(a, colour) for a in split])) for split in pixels]
    return image_dataset(
        f"folder:{where}",
        (images[0], _labels(train)),
        (images[1], _labels(test)),
        tuple(train),
    )


def _parse(where: str) -> tuple[Path, int | None]:
    if not where:
        raise ValueError("folder: names no folder; give folder:PATH where PATH/CLASS/ holds images")
    match = re.fullmatch(r"(.+)@(\d+)", where)
    if match is None:
        return Path(where).expanduser(), None
    side = int(match[2][: len(str(MOST_SIDE)) + 1])  # Enough of them to tell that it is too much.
    if not 1 <= side <= MOST_SIDE:
        raise ValueError(
            f"folder:{where}: images of {match[2]} pixels a side; give a size of at least 1 and at "
            f"most {MOST_SIDE}, as in folder:{match[1]}@64"
        )
    return Path(match[1]).expanduser(), side


def _check_memory(where: str, size: tuple[int, int], images: int) -> None:
    memory, needed = memory_bytes(), 2 * 3 * size[0] * size[1] * images  # Once more to stack them.
    if memory is not None and needed > memory:
        raise ValueError(
            f"folder:{where}: {images:,} images of {size[0]} x {size[1]} pixels take "
            f"{needed / 1e9:.0f} GB, and this machine has {memory / 1e9:.0f} GB of memory; give a "
            "smaller size, as in folder:PATH@64"
        )


def _both_splits(root: Path) -> tuple[Tree, Tree]:
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root}: no such folder; give folder:PATH where PATH/CLASS/ holds images"
        )
    if not ((root / "train").is_dir() and (root / "test").is_dir()):
        return _cut(_tree(root))
    train, test = _tree(root / "train"), _tree(root / "test")
    if train.keys() != test.keys():
        odd = ", ".join(sorted(train.keys() ^ test.keys()))
        raise ValueError(
            f"{root}: train and test have different classes ({odd} in only one of them); "
            "give both the same folders"
        )
    return train, test


def _tree(root: Path) -> Tree:
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(folders) < 2:
        raise ValueError(
            f"{root}: {len(folders)} class folders; give at least two, with images in each"
        )
    return {folder.name: _images(folder) for folder in folders}


def _images(folder: Path) -> list[Path]:
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not images:
        raise ValueError(
            f"{folder}: no images in this class; put some there ({', '.join(sorted(SUFFIXES))}) "
            "or remove the folder"
        )
    return images


def _cut(tree: Tree) -> tuple[Tree, Tree]:
    """A fixed random TEST_FRACTION of each class, at least one image, becomes the test split."""
    train, test = {}, {}
    for name, paths in tree.items():
        if len(paths) < 2:
            raise ValueError(
                f"{paths[0].parent}: one image cannot be split into training and test; add more"
            )
        count = max(1, round(len(paths) * TEST_FRACTION))
        chosen = set(random.Random(0).sample(paths, count))
        train[name] = [path for path in paths if path not in chosen]
        test[name] = [path for path in paths if path in chosen]
    return train, test


def _paths(tree: Tree) -> list[Path]:
    return [path for paths in tree.values() for path in paths]


def _labels(tree: Tree) -> Tensor:
    counts = torch.tensor([len(paths) for paths in tree.values()])
    return torch.repeat_interleave(torch.arange(len(counts)), counts)


def _default_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image, its long side at most LONG_SIDE."""
    width, height = _open(path).size
    scale = min(1.0, LONG_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fit(path: Path, size: tuple[int, int]) -> Pixels:
    from PIL import Image, ImageOps

    image = _open(path)
    return np.asarray(ImageOps.fit(image, size, Image.Resampling.BILINEAR), dtype=np.uint8)


def _open(path: Path) -> Image:
    """The image, upright, as 8-bit grey ("L") or colour ("RGB")."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            mode = _target_mode(image, path)
            return ImageOps.exif_transpose(image).convert(mode)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error}); mend or remove it") from error


def _target_mode(image: Image, path: Path) -> str:
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"{path}: pixels of mode {image.mode}; save it with 8 bits a channel instead"
        )
    return "L" if image.mode in {"1", "L", "LA"} else "RGB"


def _planes(pixels: Pixels, colour: bool) -> NDArray[Any]:
    """(channels, height, width), grey repeated where the data set is in colour."""
    if pixels.ndim == 3:
        return pixels.transpose(2, 0, 1)
    return np.repeat(pixels[None], 3 if colour else 1, axis=0)
