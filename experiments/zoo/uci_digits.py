"""Handwritten digits, 8 x 8: the data set that needs no files."""

from __future__ import annotations

import numpy as np
import torch

from experiments.zoo.image_dataset import ImageDataset, image_dataset

_TEST_FRACTION = 0.2


def digits() -> ImageDataset:
    """scikit-learn's 1,797 grey 8 x 8 digits, a fifth of every class for testing.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    # Pixels come as 0..16.
    pixels = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_FRACTION, random_state=0, stratify=labels
    )
    inputs, targets = torch.from_numpy(pixels), torch.from_numpy(labels).long()
    return image_dataset(
        "digits",
        (inputs[train], targets[train]),
        (inputs[test], targets[test]),
        tuple(str(digit) for digit in range(10)),
    )
