"""Data sets by name: the table, and how a name is turned into images.

To add one, write a function that returns an `ImageDataset` and name it in `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable

from amc.parsing import look_up
from experiments.settings import import_named
from experiments.zoo.cifar import cifar10
from experiments.zoo.fashion_mnist import fashion_mnist
from experiments.zoo.image_dataset import HOLDOUT_FRACTION, ImageDataset, Splits
from experiments.zoo.image_folder import image_folder
from experiments.zoo.uci_digits import digits

__all__ = ["DATASETS", "HOLDOUT_FRACTION", "ImageDataset", "Splits", "load_dataset"]

DATASETS: dict[str, Callable[[], ImageDataset]] = {
    "digits": digits,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
}


def load_dataset(name: str) -> ImageDataset:
    """The data set of that name, read into memory.

    Args:
        name: A key of `DATASETS`; or `folder:PATH`, `folder:PATH@SIZE` (see `image_folder`); or
            `package.module:function` for a function without arguments that returns one.

    Raises:
        LookupError: if there is no such name.
        FileNotFoundError: if its files are nowhere and cannot be downloaded.
        ValueError: if its files are damaged.
    """
    kind, colon, rest = name.partition(":")
    if not colon:
        return _from_table(name)
    return image_folder(rest) if kind == "folder" else _from_function(name)


def _from_table(name: str) -> ImageDataset:
    try:
        load = look_up(DATASETS, name, "data set")
    except LookupError as error:
        raise LookupError(f"{error}, folder:PATH, package.module:function") from None
    return load()


def _from_function(name: str) -> ImageDataset:
    function = import_named(name, "data set")
    try:
        dataset = function() if callable(function) else function
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"data set {name!r} cannot be loaded ({error}); it must be a function without "
            "arguments that returns an ImageDataset (experiments.zoo)"
        ) from error
    if not isinstance(dataset, ImageDataset):
        raise ValueError(
            f"data set {name!r}: gave a {type(dataset).__name__}; "
            "let the function return an ImageDataset (experiments.zoo)"
        )
    if wrong := dataset.mistake():
        raise ValueError(f"data set {name!r}: {wrong}")
    return dataset
