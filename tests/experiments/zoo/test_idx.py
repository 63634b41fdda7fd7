import gzip
import struct
from pathlib import Path

import pytest
import torch

from experiments.zoo.idx import read_idx, read_idx_pair


def idx_bytes(array: torch.Tensor, kind: int = 0x08) -> bytes:
    header = bytes((0, 0, kind, array.dim()))
    return header + struct.pack(f">{array.dim()}I", *array.shape) + array.numpy().tobytes()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


@pytest.fixture
def images() -> torch.Tensor:
    return torch.arange(24, dtype=torch.uint8).view(2, 3, 4)


def test_an_array_comes_back_as_it_was_written(tmp_path, images):
    path = written(tmp_path / "a.gz", idx_bytes(images))
    torch.testing.assert_close(read_idx(path, 3), images)


def test_the_array_can_be_written_to(tmp_path, images):
    array = read_idx(written(tmp_path / "a.gz", idx_bytes(images)), 3)
    array[0, 0, 0] = 200
    assert array[0, 0, 0] == 200


def test_another_magic_number_is_refused(tmp_path, images):
    path = written(tmp_path / "floats.gz", idx_bytes(images, kind=0x0D))
    with pytest.raises(ValueError, match=r"floats\.gz: not an idx file of unsigned bytes"):
        read_idx(path, 3)


def test_another_number_of_dimensions_is_refused(tmp_path, images):
    path = written(tmp_path / "a.gz", idx_bytes(images))
    with pytest.raises(ValueError, match=r"a\.gz: not an idx file .* in 1 dimensions"):
        read_idx(path, 1)


@pytest.mark.parametrize("length", [0, 3, 10])
def test_a_file_that_ends_in_its_header_is_refused(tmp_path, images, length):
    path = written(tmp_path / "a.gz", idx_bytes(images)[:length])
    with pytest.raises(ValueError, match=r"a\.gz: not an idx file"):
        read_idx(path, 3)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0"])
def test_a_count_that_is_not_the_promised_one_is_refused(tmp_path, images, change):
    path = written(tmp_path / "a.gz", change(idx_bytes(images)))
    with pytest.raises(ValueError, match=r"a\.gz: its header promises 24 bytes"):
        read_idx(path, 3)


def test_a_truncated_gzip_is_refused(tmp_path, images):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(images))[:-9])
    with pytest.raises(ValueError, match=r"a\.gz: damaged or cut short"):
        read_idx(path, 3)


@pytest.mark.parametrize("data", [b"<html>not found</html>", b""])
def test_what_is_no_gzip_is_refused(tmp_path, data):
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.gz: "):
        read_idx(path, 3)


def test_flipped_bits_are_noticed(tmp_path, images):
    data = bytearray(gzip.compress(idx_bytes(images)))
    data[15] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.gz: damaged"):
        read_idx(path, 3)


def pair(folder: Path, images: torch.Tensor, labels: list[int]) -> tuple[Path, Path]:
    return (
        written(folder / "images.gz", idx_bytes(images)),
        written(folder / "labels.gz", idx_bytes(torch.tensor(labels, dtype=torch.uint8))),
    )


def test_a_pair_has_a_channel_dimension_and_whole_labels(tmp_path, images):
    pixels, labels = read_idx_pair(*pair(tmp_path, images, [1, 0]), classes=2)
    torch.testing.assert_close(pixels, images.view(2, 1, 3, 4))
    torch.testing.assert_close(labels, torch.tensor([1, 0]))


def test_different_counts_of_images_and_labels_are_refused(tmp_path, images):
    paths = pair(tmp_path, images, [1, 0, 1])
    with pytest.raises(ValueError, match=r"labels\.gz: 3 labels for the 2 images of images\.gz"):
        read_idx_pair(*paths, classes=2)


def test_a_label_without_a_class_is_refused(tmp_path, images):
    paths = pair(tmp_path, images, [1, 2])
    with pytest.raises(ValueError, match=r"labels\.gz: label 2 where 2 classes end at 1"):
        read_idx_pair(*paths, classes=2)
