"""Tables as files."""

import json
from pathlib import Path

import pytest
from made_tables import DEVICE, in_blocks, table_of
from tiny_networks import images, tiny

from amc.costs.latency import Device, LatencyTable, LatencyTableError
from amc.tracing.build import trace

TABLE = table_of(trace(tiny("residual"), images()), in_blocks, constant=1e-5)


def test_a_table_reads_back_equal(tmp_path: Path) -> None:
    assert LatencyTable.from_json(TABLE.to_json()) == TABLE
    (tmp_path / "latency.json").write_text(TABLE.to_json(), encoding="utf-8")
    assert LatencyTable.load(tmp_path / "latency.json") == TABLE


def test_no_file_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`amc profile` writes one"):
        LatencyTable.load(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", "null", "[" * 100_000])
def test_what_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LatencyTableError, match="not a latency table of this release"):
        LatencyTable.load(path)


@pytest.mark.parametrize("key", ["schema_version", "device", "pieces", "calls", "fit"])
def test_a_table_without_one_of_its_parts_is_refused(key: str) -> None:
    data = json.loads(TABLE.to_json())
    del data[key]
    with pytest.raises(LatencyTableError, match="not a latency table of this release"):
        LatencyTable.from_json(json.dumps(data))


def test_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latency.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LatencyTableError, match="not text"):
        LatencyTable.load(tmp_path / "latency.json")


def test_devices_tell_in_what_they_differ() -> None:
    other = Device("a processor", 2, "Linux x86_64", "onnxruntime", "2.0.0", threads=4, batch=1)
    assert DEVICE.differences(DEVICE) == ()
    assert DEVICE.differences(other) == ("version 1.0.0, not 2.0.0", "threads 1, not 4")
    assert str(other) == "a processor, onnxruntime 2.0.0, 4 threads, batch 1"
