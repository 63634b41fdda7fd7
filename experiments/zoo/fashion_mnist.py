"""Fashion-MNIST: 70,000 grey 28 x 28 photographs of clothes in ten classes."""

from __future__ import annotations

import gzip
from pathlib import Path

from experiments.zoo.fetching import Remote, download, find
from experiments.zoo.idx import read_idx_pair
from experiments.zoo.image_dataset import ImageDataset, image_dataset

NAME = "fashion-mnist"
URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

# Of the decompressed bytes: Debian compresses the same files anew.
SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}


def fashion_mnist() -> ImageDataset:
    """60,000 training and 10,000 test images from four idx files, downloaded if need be.

    Source: H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747.

    Raises:
        FileNotFoundError: if the files are nowhere and cannot be downloaded.
        ValueError: if a file is damaged.
    """
    folder = local_folder() or _download()
    train, test = (
        read_idx_pair(
            folder / f"{split}-images-idx3-ubyte.gz",
            folder / f"{split}-labels-idx1-ubyte.gz",
            len(CLASSES),
        )
        for split in ("train", "t10k")
    )
    return image_dataset(NAME, train, test, CLASSES)


def local_folder() -> Path | None:
    """Where the four files are on this machine, or None."""
    return find(NAME, SHA256, system=(DEBIAN_FOLDER,))


def _download() -> Path:
    remotes = [Remote(file, URL + file, sha, gzip.decompress) for file, sha in SHA256.items()]
    return download(NAME, remotes, "`apt-get install dataset-fashion-mnist`")
