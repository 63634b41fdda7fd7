"""A folder of images as a data set: one folder a class.

Either PATH/train/CLASS/ and PATH/test/CLASS/, or PATH/CLASS/ alone, of which a fixed fifth of
every class becomes the test split.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from experiments.zoo.image_dataset import ImageDataset, channel_statistics, image_dataset
from experiments.zoo.image_files import HELD, ImageFiles, is_colour, opened

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"})
LONG_SIDE = 64
"""Pixels that no side exceeds unless a size is asked for."""
MOST_SIDE = 4096
"""Pixels that can be asked for."""
TEST_FRACTION = 0.2
LOOKED_AT = 5000
"""Images by which it is told whether there are colours, and what their mean and deviation are; of
fewer all."""

Tree: TypeAlias = dict[str, list[Path]]  # class name -> its images
T = TypeVar("T")


def image_folder(where: str) -> ImageDataset:
    """The images under PATH, or PATH@SIZE for images of SIZE x SIZE pixels.

    Without SIZE all images get the size of the first training image, shrunk to LONG_SIDE where
    it is larger. Others are resized (bilinear) to cover that size and cropped around the centre.
    One channel if every image is grey, else three. In memory where they take up to `HELD` bytes,
    else decoded when they are asked for, so that a tree may have any size.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it is not such a tree, or an image cannot be read.
    """
    root, side = _parse(where)
    train, test = _both_splits(root)
    first = next(iter(train.values()))[0]
    size = (side, side) if side else _default_size(first)
    names = [_names(root, tree) for tree in (train, test)]
    colour = any(map(is_colour, _some([root / name for each in names for name in each])))
    files = [
        ImageFiles(root, own, _labels(tree), size, colour=colour)
        for own, tree in zip(names, (train, test), strict=True)
    ]
    if sum(one.nbytes for one in files) <= HELD:
        held = [(one.held().array, one.labels) for one in files]
        return image_dataset(f"folder:{where}", held[0], held[1], tuple(train))
    known = files[0].take(torch.tensor(_some(range(len(files[0])))))
    mean, std = channel_statistics(known.held().array)
    streamed = [one.normalised(mean, std) for one in files]
    return ImageDataset(f"folder:{where}", streamed[0], streamed[1], tuple(train))


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


def _some(items: Sequence[T]) -> Sequence[T]:
    """All of them, or `LOOKED_AT` at random, the same every time."""
    if len(items) <= LOOKED_AT:
        return items
    return random.Random(0).sample(items, LOOKED_AT)


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


def _names(root: Path, tree: Tree) -> list[str]:
    """Of the files, from the folder on: texts, which take less memory than paths."""
    return [str(path.relative_to(root)) for paths in tree.values() for path in paths]


def _labels(tree: Tree) -> Tensor:
    counts = torch.tensor([len(paths) for paths in tree.values()])
    return torch.repeat_interleave(torch.arange(len(counts)), counts)


def _default_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image, its long side at most LONG_SIDE."""
    width, height = opened(path).size
    scale = min(1.0, LONG_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
