import gzip
import hashlib
import struct
from pathlib import Path

import pytest
import torch

from experiments.disk import cache_folder
from experiments.zoo import fashion_mnist as fashion
from experiments.zoo.datasets import load_dataset


def idx(shape: tuple[int, ...], data: bytes) -> bytes:
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + data


def four_files(brightness: int = 7) -> dict[str, bytes]:
    """Twelve training and four test images of 2 x 2 pixels, all of one brightness."""
    contents = {}
    for split, count in (("train", 12), ("t10k", 4)):
        pixels = bytes((brightness,)) * (4 * count)
        labels = bytes(range(count)[-10:]) if count <= 10 else bytes(i % 10 for i in range(count))
        contents[f"{split}-images-idx3-ubyte.gz"] = idx((count, 2, 2), pixels)
        contents[f"{split}-labels-idx1-ubyte.gz"] = idx((count,), labels)
    return contents


def put(folder: Path, brightness: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in four_files(brightness).items():
        (folder / name).write_bytes(gzip.compress(data))


def test_four_files_become_a_data_set(machine):
    put(machine / "data", 7)
    dataset = load_dataset("fashion-mnist")
    assert dataset.name == "fashion-mnist"
    assert dataset.input_shape == (1, 2, 2)
    assert (len(dataset.train), len(dataset.test)) == (12, 4)
    assert dataset.test.labels.tolist() == [0, 1, 2, 3]
    assert len(dataset.classes) == 10


def test_places_are_searched_in_their_order(machine):
    places = [
        cache_folder("fashion-mnist"),
        machine / "debian",
        machine / "data",
        machine / "data" / "fashion-mnist",
    ]
    for brightness, place in enumerate(places):
        put(place, brightness)
        assert load_dataset("fashion-mnist").train.inputs.unique().tolist() == [brightness]


def test_missing_files_are_downloaded_once(machine, web, monkeypatch):
    contents = four_files(9)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    monkeypatch.setattr(fashion, "SHA256", sums)
    web.pages = {fashion.URL + name: gzip.compress(data) for name, data in contents.items()}
    for _ in range(2):
        assert load_dataset("fashion-mnist").train.inputs.unique().tolist() == [9]
    assert sorted(web.asked) == sorted(web.pages)


def test_a_download_of_other_images_is_refused(machine, web):
    web.pages = {fashion.URL + name: gzip.compress(data) for name, data in four_files().items()}
    with pytest.raises(ValueError, match="not the expected file"):
        load_dataset("fashion-mnist")


def test_without_files_or_network_one_message_names_the_three_ways(machine):
    with pytest.raises(FileNotFoundError) as raised:
        load_dataset("fashion-mnist")
    message = str(raised.value)
    assert "put train-images-idx3-ubyte.gz, " in message
    assert " into $AMC_DATA, " in message
    assert "`apt-get install dataset-fashion-mnist`" in message
    assert f"allow the download from {fashion.URL}" in message
    assert "\n" not in message


def test_a_damaged_file_is_named(machine):
    put(machine / "data", 7)
    (machine / "data" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz"):
        load_dataset("fashion-mnist")


def test_the_real_data_set_is_whole(fashion_mnist):
    assert (len(fashion_mnist.train), len(fashion_mnist.test)) == (60_000, 10_000)
    assert fashion_mnist.input_shape == (1, 28, 28)
    assert torch.bincount(fashion_mnist.train.labels).tolist() == [6_000] * 10
    assert torch.bincount(fashion_mnist.test.labels).tolist() == [1_000] * 10


def test_the_real_data_set_has_the_published_statistics(fashion_mnist):
    assert fashion_mnist.train.mean == pytest.approx((0.2860,), abs=5e-5)
    assert fashion_mnist.train.std == pytest.approx((0.3530,), abs=5e-5)


def test_a_search_gets_10_000_of_the_real_training_images(fashion_mnist):
    splits = fashion_mnist.splits()
    sizes = (len(splits.train), len(splits.holdout), len(splits.test))
    assert sizes == (50_000, 10_000, 10_000)


def test_the_installed_files_have_the_checksums_that_downloads_must_have(fashion_mnist):
    folder = fashion.local_folder()
    for name, expected in fashion.SHA256.items():
        data = gzip.decompress((folder / name).read_bytes())
        assert hashlib.sha256(data).hexdigest() == expected
