"""CIFAR-10: 60,000 colour 32 x 32 photographs in ten classes, from the binary archive.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. A record is
one byte of label and 3,072 bytes of pixels, channel by channel; a file is 10,000 records. The
archive of Python pickles holds the same images and is never read: a pickle can run any code.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from experiments.zoo.fetching import Remote, download, find
from experiments.zoo.image_dataset import ImageDataset, image_dataset

NAME = "cifar10"
ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
RECORDS = 10_000
"""Records in each file."""

_IMAGE_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32


def cifar10() -> ImageDataset:
    """50,000 training and 10,000 test images, from the archive or the extracted folder.

    Raises:
        FileNotFoundError: if they are nowhere and cannot be downloaded.
        ValueError: if a file is damaged.
    """
    extracted = find(NAME, [f"{FOLDER}/{file}" for file in (*TRAIN_FILES, *TEST_FILES)])
    if extracted is not None:
        return _dataset(read_folder(extracted / FOLDER), extracted / FOLDER)
    archive = (find(NAME, [ARCHIVE]) or _download()) / ARCHIVE
    return _dataset(read_archive(archive), archive)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Contents of the six files of records in a folder, by name."""
    return {file: (folder / file).read_bytes() for file in (*TRAIN_FILES, *TEST_FILES)}


def read_archive(path: Path) -> dict[str, bytes]:
    """Contents of the six files of records in a .tar.gz, by name; nothing is extracted to disk.

    Raises:
        ValueError: if the archive is damaged or lacks a file.
    """
    try:
        contents = _members(path)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path}: damaged or cut short ({error}); delete it and fetch it again"
        ) from error
    missing = [file for file in (*TRAIN_FILES, *TEST_FILES) if file not in contents]
    if missing:
        raise ValueError(f"{path}: holds no {', '.join(missing)}; fetch {ARCHIVE} again")
    return contents


def parse_records(data: bytes, where: str) -> tuple[Tensor, Tensor]:
    """Images (RECORDS, 3, 32, 32) uint8 and labels (RECORDS,) int64 of one file.

    Args:
        data: The file's bytes.
        where: The file's name, for messages.

    Raises:
        ValueError: if the number of records is wrong, or a label is above 9.
    """
    if len(data) != RECORDS * _RECORD_BYTES:
        raise ValueError(
            f"{where}: {len(data)} bytes where {RECORDS} records of {_RECORD_BYTES} bytes belong; "
            "fetch it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(RECORDS, _RECORD_BYTES)
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if int(labels.max()) >= len(CLASSES):
        raise ValueError(
            f"{where}: label {int(labels.max())} where CIFAR-10's end at {len(CLASSES) - 1}; "
            "fetch it again (CIFAR-100 has another format)"
        )
    pixels = records[:, 1:].reshape(RECORDS, *_IMAGE_SHAPE)
    return torch.from_numpy(pixels.copy()), labels


def _members(path: Path) -> dict[str, bytes]:
    contents = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member) if member.isfile() else None  # No links.
            if file is not None and name in (*TRAIN_FILES, *TEST_FILES):
                contents[name] = file.read()
    return contents


def _dataset(contents: dict[str, bytes], where: Path) -> ImageDataset:
    train, test = (
        _join([parse_records(contents[file], f"{where}/{file}") for file in files])
        for files in (TRAIN_FILES, TEST_FILES)
    )
    return image_dataset(NAME, train, test, CLASSES)


def _join(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, labels = zip(*parts, strict=True)
    return torch.cat(images), torch.cat(labels)


def _download() -> Path:
    by_hand = f"extract it there, as $AMC_DATA/{FOLDER}"
    return download(NAME, [Remote(ARCHIVE, URL, SHA256)], by_hand)
