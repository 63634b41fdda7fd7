"""What is said of two files of one network."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from experiments.latency.gain import Gain
from experiments.runs.results import CostChange

COSTS = {
    "macs": CostChange("MACs", 4_000_000, 1_000_000),
    "params": CostChange("params", 2000, 1500),
}
DEVICE = {"runtime": "a runtime", "version": "1.2", "threads": 1, "batch": 4}
BEFORE = np.array([0.004, 0.0042, 0.0044])


@pytest.fixture
def gain(tmp_path):
    """Makes a gain of files of 10,000 and 6,000 bytes from the seconds of the pruned one."""

    def made(after):
        files = [tmp_path / "unpruned.onnx", tmp_path / "pruned.onnx"]
        for file, size in zip(files, (10_000, 6_000), strict=True):
            file.write_bytes(bytes(size))
        rounds = [[[seconds] for seconds in times] for times in (BEFORE, after)]
        return Gain.of(files, COSTS, rounds, 2e-6, DEVICE)

    return made


def test_speed_is_compared_within_each_round(gain):
    # A machine that is twice as slow in one round is so for both.
    found = gain(BEFORE / 2 * [1, 1, 1])
    assert found.speedup.median == found.speedup.low == found.speedup.high == 2
    assert found.verdict() == "is 2.00 times as fast (2.00 to 2.00)"
    assert found.pruned.latency["typical"] == 0.0021
    assert found.rounds == 3


def test_what_is_no_faster_is_not_called_so(gain):
    found = gain(BEFORE * [0.5, 1.25, 2])
    assert found.verdict() == "is not measurably faster: 0.80 times as fast (0.65 to 1.40)"


def test_the_table_has_both_files_side_by_side(gain):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(gain(BEFORE / 2).table())
    assert [line.split() for line in console.export_text().splitlines()] == [
        ["unpruned", "pruned", "left"],
        ["file,", "bytes", "10,000", "6,000", "60.0%"],
        ["parameters", "2,000", "1,500", "75.0%"],
        ["MACs", "4,000,000", "1,000,000", "25.0%"],
        ["latency,", "ms", "4.000", "2.000", "50.0%"],
    ]


def test_the_notes_say_what_the_numbers_are(gain):
    assert gain(BEFORE / 2).notes().splitlines() == [
        "pruned.onnx is 2.00 times as fast (2.00 to 2.00)",
        "latency: batch 4, a runtime 1.2, 1 thread; in turns, 3 rounds",
        "answers differ from PyTorch's by at most 2.0e-06",
    ]


def test_the_file_holds_all_of_it(gain, tmp_path):
    found = gain(BEFORE / 2)
    found.save(tmp_path / "export.json")
    data = json.loads((tmp_path / "export.json").read_text())
    assert data["schema_version"] == 2
    latency = data["pruned"].pop("latency")
    assert latency == pytest.approx({"seconds": 0.002, "spread": 0.0002, "typical": 0.0021})
    assert data["pruned"] == {
        "file": "pruned.onnx",
        "bytes": 6000,
        "params": 1500,
        "macs": 1_000_000,
    }
    assert data["speedup"]["median"] == 2
    assert data["device"] == DEVICE
    assert data["machine"].keys() >= {"torch", "processor"}
