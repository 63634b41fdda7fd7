"""What every data set of the zoo is: images with their split into training and test."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from amc.tasks import Samples
from experiments.zoo.image_files import ImageFiles

Images = Samples | ImageFiles
"""In memory, or in files."""

HOLDOUT_FRACTION = 1 / 6
"""Share of the training split that a search measures accuracy on; never trained on."""


@dataclass(frozen=True)
class Splits:
    """A data set cut in three.

    Args:
        train: What networks are trained, fine-tuned and calibrated on.
        holdout: What a search measures accuracy on, cut from the training split.
        test: What the final accuracy is reported on, once.
    """

    train: Images
    holdout: Images
    test: Images


@dataclass(frozen=True)
class ImageDataset:
    """Labelled uint8 images of one size.

    Args:
        name: What reports call it.
        train: Images (samples, channels, height, width) uint8 with their labels.
        test: The same for the test split, normalised as the training split is.
        classes: A name for every label, in the order of the labels.
    """

    name: str
    train: Images
    test: Images
    classes: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        return _shape(self.train)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.input_shape[0]

    def mistake(self) -> str:
        """What is wrong with it, and how to mend it, in words; empty where nothing is."""
        for split, samples in (("training", self.train), ("test", self.test)):
            if not isinstance(samples, Samples):
                continue
            images, labels = samples.array, samples.labels
            if images.dim() != 4 or images.dtype != torch.uint8:
                shape, kind = tuple(images.shape), str(images.dtype).removeprefix("torch.")
                return (
                    f"its {split} images are {shape} {kind}; give (samples, channels, height, "
                    "width) uint8"
                )
            if labels.dtype != torch.int64:
                kind = str(labels.dtype).removeprefix("torch.")
                return f"its {split} labels are {kind}; give int64"
            if not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
                return (
                    f"its {split} labels go from {int(labels.min())} to {int(labels.max())}, and "
                    f"it names {len(self.classes)} classes; give labels from 0 and a name for each"
                )
        ours, theirs = (_shape(one) for one in (self.train, self.test))
        if ours != theirs:
            return f"training images are {ours} and test images {theirs}; give both one shape"
        if len(self.train) < 2:
            return "it has one training image, and some are held out; give more"
        return ""

    def splits(self, seed: int = 0) -> Splits:
        """Hold out a random HOLDOUT_FRACTION of the training split, the same for the same seed.

        Raises:
            ValueError: if there are fewer than two training images.
        """
        held_out = max(1, round(len(self.train) * HOLDOUT_FRACTION))
        train, holdout = self.train.split(len(self.train) - held_out, seed)
        return Splits(train, holdout, self.test)


def _shape(images: Images) -> tuple[int, int, int]:
    """(channels, height, width)."""
    if isinstance(images, ImageFiles):
        return images.shape
    channels, height, width = images.array.shape[1:]
    return channels, height, width


def image_dataset(
    name: str,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    classes: tuple[str, ...],
) -> ImageDataset:
    """A data set from (images, labels) pairs, normalised by the training images' statistics."""
    mean, std = channel_statistics(train[0])
    return ImageDataset(name, Samples(*train, mean, std), Samples(*test, mean, std), classes)


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in [0, 1].

    Args:
        images: (samples, channels, height, width) uint8.
    """
    moments = [_moments(images[:, channel]) for channel in range(images.shape[1])]
    return tuple(mean for mean, _ in moments), tuple(std for _, std in moments)


def _moments(pixels: Tensor) -> tuple[float, float]:
    # Counting the 256 levels is exact and never holds the pixels as floats.
    counts = torch.bincount(pixels.flatten(), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum()
    mean = (share * levels).sum()
    std = (share * (levels - mean).square()).sum().sqrt()
    # A constant channel has nothing to divide by.
    return mean.item(), std.item() or 1.0
