import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from experiments.disk import cache_folder
from experiments.zoo import cifar
from experiments.zoo.datasets import load_dataset

FILES = (*cifar.TRAIN_FILES, *cifar.TEST_FILES)


@pytest.fixture(autouse=True)
def _four_records_a_file(monkeypatch):
    monkeypatch.setattr(cifar, "RECORDS", 4)


def records(first_label: int) -> bytes:
    """Four records: labels counting up, red 10, green 20, blue 30, the first red pixel 99."""
    pixels = np.repeat(np.array([10, 20, 30], np.uint8), 1024)
    pixels[0] = 99
    labels = [(first_label + i) % 10 for i in range(4)]
    return b"".join(bytes((label,)) + pixels.tobytes() for label in labels)


def contents() -> dict[str, bytes]:
    return {file: records(number) for number, file in enumerate(FILES)}


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo(cifar.FOLDER)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in {"batches.meta.txt": b"airplane\n", **files}.items():
            info = tarfile.TarInfo(f"{cifar.FOLDER}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def put_archive(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / cifar.ARCHIVE
    path.write_bytes(archive(files))
    return path


def put_folder(folder: Path, files: dict[str, bytes]) -> None:
    (folder / cifar.FOLDER).mkdir(parents=True)
    for name, data in files.items():
        (folder / cifar.FOLDER / name).write_bytes(data)


def test_an_archive_becomes_a_data_set(machine):
    put_archive(machine / "data", contents())
    dataset = load_dataset("cifar10")
    assert dataset.name == "cifar10"
    assert dataset.input_shape == (3, 32, 32)
    assert (len(dataset.train), len(dataset.test)) == (20, 4)
    assert dataset.classes[0] == "airplane"
    assert (len(dataset.classes), len(dataset.train.mean)) == (10, 3)


def test_labels_come_in_the_order_of_the_files(machine):
    put_archive(machine / "data", dict(reversed(contents().items())))
    dataset = load_dataset("cifar10")
    assert dataset.train.labels.tolist()[:8] == [0, 1, 2, 3, 1, 2, 3, 4]
    assert dataset.test.labels.tolist() == [5, 6, 7, 8]


def test_pixels_are_stored_channel_by_channel(machine):
    put_archive(machine / "data", contents())
    image = load_dataset("cifar10").train.inputs[0]
    assert image[:, 31, 31].tolist() == [10, 20, 30]
    assert image[:, 0, 0].tolist() == [99, 20, 30]


def test_an_extracted_folder_gives_the_same(machine):
    put_archive(cache_folder("cifar10"), contents())
    from_archive = load_dataset("cifar10")
    put_folder(machine / "data", contents())
    (cache_folder("cifar10") / cifar.ARCHIVE).unlink()
    from_folder = load_dataset("cifar10")
    assert from_folder.train.inputs.equal(from_archive.train.inputs)
    assert from_folder.test.labels.equal(from_archive.test.labels)


def test_nothing_is_extracted_to_disk(machine):
    path = put_archive(machine / "data", contents())
    load_dataset("cifar10")
    assert [p for p in machine.rglob("*") if p.is_file()] == [path]


def test_a_missing_archive_is_downloaded_once(machine, web, monkeypatch):
    data = archive(contents())
    monkeypatch.setattr(cifar, "SHA256", hashlib.sha256(data).hexdigest())
    web.pages = {cifar.URL: data}
    for _ in range(2):
        assert len(load_dataset("cifar10").train) == 20
    assert web.asked == [cifar.URL]


def test_a_download_of_another_archive_is_refused(machine, web):
    web.pages = {cifar.URL: archive(contents())}
    with pytest.raises(ValueError, match="not the expected file"):
        load_dataset("cifar10")


def test_without_files_or_network_one_message_names_the_three_ways(machine):
    with pytest.raises(FileNotFoundError) as raised:
        load_dataset("cifar10")
    message = str(raised.value)
    assert "put cifar-10-binary.tar.gz into $AMC_DATA" in message
    assert "$AMC_DATA/cifar-10-batches-bin" in message
    assert f"allow the download from {cifar.URL}" in message
    assert "\n" not in message


def test_an_archive_that_lacks_a_file_is_refused(machine):
    files = contents()
    del files["data_batch_3.bin"]
    put_archive(machine / "data", files)
    with pytest.raises(ValueError, match=r"tar\.gz: holds no data_batch_3\.bin"):
        load_dataset("cifar10")


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:3073]])
def test_a_wrong_number_of_records_is_refused(machine, change):
    files = contents()
    files["data_batch_2.bin"] = change(files["data_batch_2.bin"])
    put_archive(machine / "data", files)
    with pytest.raises(ValueError, match=r"data_batch_2\.bin: \d+ bytes where 4 records"):
        load_dataset("cifar10")


def test_a_label_above_9_is_refused(machine):
    files = contents()
    files["test_batch.bin"] = b"\x0a" + files["test_batch.bin"][1:]
    put_folder(machine / "data", files)
    with pytest.raises(ValueError, match=r"test_batch\.bin: label 10 where CIFAR-10's end at 9"):
        load_dataset("cifar10")


@pytest.mark.parametrize("keep", [0, 40, -200])
def test_a_truncated_archive_is_refused(machine, keep):
    path = put_archive(machine / "data", contents())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz: "):
        load_dataset("cifar10")


def test_what_is_no_archive_is_refused(machine):
    (machine / "data" / cifar.ARCHIVE).write_bytes(b"<html>moved</html>")
    with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz: damaged"):
        load_dataset("cifar10")
