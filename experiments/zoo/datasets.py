"""Data sets by name: the table, and how a name is turned into images."""

from __future__ import annotations

from collections.abc import Callable

from experiments.zoo.digits import digits
from experiments.zoo.fashion_mnist import fashion_mnist
from experiments.zoo.image_dataset import HOLDOUT_FRACTION, ImageDataset, Splits

__all__ = ["DATASETS", "HOLDOUT_FRACTION", "ImageDataset", "Splits", "load_dataset"]

DATASETS: dict[str, Callable[[], ImageDataset]] = {
    "digits": digits,
    "fashion-mnist": fashion_mnist,
}


def load_dataset(name: str) -> ImageDataset:
    """The data set of that name.

    Raises:
        LookupError: if there is no such name.
        FileNotFoundError: if its files are nowhere and cannot be downloaded.
        ValueError: if its files are damaged.
    """
    return DATASETS[name]()
