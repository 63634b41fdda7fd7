"""What `amc export` left in a run's folder, and what the page makes of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report.comparison import compare
from experiments.report.exports import Exported, read_export
from experiments.report.speed import speed, speed_notes
from experiments.report.tiles import tiles
from experiments.runs.results import Remeasured, RunResult

Made = Callable[..., RunResult]

EXPORT: dict[str, Any] = {
    "unpruned": {"latency": {"seconds": 2e-3, "spread": 2e-4, "typical": 2.1e-3}},
    "pruned": {
        "latency": {"seconds": 1e-3, "spread": 1e-4, "typical": 1.1e-3},
        "macs": 5e5,
        "params": 2e4,
    },
    "speedup": {"low": 1.8, "median": 2.0, "high": 2.1},
    "device": {"runtime": "onnxruntime", "version": "1.2", "processor": "a chip", "threads": 1},
}
DEVICE = "onnxruntime 1.2, a chip, 1 thread, batch 1"
READ = Exported(2e-3, 1e-3, (1.8, 2.0, 2.1), 5e5, 2e4, DEVICE)


def test_a_folder_tells_what_it_has(tmp_path: Path) -> None:
    assert read_export(tmp_path) is None
    (tmp_path / "export.json").write_text(json.dumps(EXPORT))
    assert read_export(tmp_path) == READ


def test_what_an_earlier_release_left_is_read(tmp_path: Path) -> None:
    times = {"low": 0.9e-3, "median": 1e-3, "high": 1.1e-3}
    before, after = ({**EXPORT[side], "latency": times} for side in ("unpruned", "pruned"))
    (tmp_path / "export.json").write_text(
        json.dumps({**EXPORT, "unpruned": before, "pruned": after})
    )
    assert read_export(tmp_path) == replace(READ, unpruned=1e-3)


BROKEN = [
    "",
    "[]",
    "{",
    "NaN",
    json.dumps({**EXPORT, "speedup": {"low": "1", "median": 2, "high": 3}}),
    json.dumps({**EXPORT, "speedup": {"low": float("nan"), "median": 2, "high": 3}}),
    json.dumps({**EXPORT, "device": None}),
    json.dumps({**EXPORT, "unpruned": {"latency": {"low": 1}}}),
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_damaged_file_is_named_with_the_way_to_mend_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(ValueError, match=r"export\.json: damaged .*; `amc export .*` writes it"):
        read_export(tmp_path)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EXPORT)), ANY)
def test_whatever_stands_in_it_the_answer_is_a_value_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "export.json").write_text(json.dumps({**EXPORT, name: value}))
    assert isinstance(answer(folder), Exported) or "damaged" in str(answer(folder))


def answer(folder: Path) -> Exported | ValueError | None:
    try:
        return read_export(folder)
    except ValueError as error:
        return error


def test_speed_is_told_with_its_noise_and_the_times_before_and_after(made: Made) -> None:
    (run,) = compare([made()], [READ])[0].runs
    found = speed(run)
    assert found is not None
    assert (found.times, found.verdict, found.passes) == (2.0, "faster", "1 ms, before 2 ms")
    assert speed_notes([run]) == [
        f"The speed of gp-rollout is measured in {DEVICE}: faster, 2.00 times as fast "
        "(1.80 to 2.10 times between the quartiles)."
    ]
    slow = replace(READ, speedup=(0.9, 1.1, 1.3))
    (run,) = compare([made()], [slow])[0].runs
    found = speed(run)
    assert found is not None
    assert found.verdict == "not measurably faster"
    (run,) = compare([made()], [replace(READ, speedup=(0.8, 0.9, 0.95))])[0].runs
    assert "slower, 0.90 times as fast" in speed_notes([run])[0]


def test_the_speed_of_another_network_that_was_in_the_folder_before_does_not_count(
    made: Made,
) -> None:
    (run,) = compare([made(left=0.4)], [READ])[0].runs
    assert speed(run) is None


def test_without_an_export_the_runs_own_measurement_is_told(made: Made) -> None:
    latency = Remeasured(unpruned=2e-3, pruned=1.9e-3, predicted=1.5e-3, noise=0.1)
    (run,) = compare([made(latency=latency)])[0].runs
    found = speed(run)
    assert found is not None
    assert found.verdict == "not measurably faster"
    assert "differs by 10.0%" in found.noise


def test_tiles_show_accuracy_limited_costs_and_speed_before_and_after(made: Made) -> None:
    (comparison,) = compare([made()], [READ])
    shown = [(t.label, t.value, t.detail) for t in tiles(comparison.runs[0], comparison)]
    assert shown == [
        ("accuracy on test samples", "0.9200", "before 0.9400"),
        ("MACs left", "50.0%", "500k, before 1.00M"),
        ("parameters left", "50.0%", "20.0k, before 40.0k"),
        ("measured speed", "2.00×", "faster: 1 ms, before 2 ms"),
    ]


def test_a_speed_that_nobody_measured_is_not_made_up(made: Made) -> None:
    (comparison,) = compare([made()])
    last = tiles(comparison.runs[0], comparison)[-1]
    assert (last.label, last.value) == ("measured speed", "–")
    assert "not measured" in last.detail
