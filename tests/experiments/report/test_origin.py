"""Settings and machines side by side."""

from collections.abc import Callable

from experiments.report.comparison import compare
from experiments.report.origin import Row, settings_rows
from experiments.runs.results import RunResult

Made = Callable[..., RunResult]


def rows(results: list[RunResult], part: str) -> list[Row]:
    return dict(settings_rows(compare(results)[0]))[part]


def test_equal_settings_stand_once_and_others_side_by_side(made: Made) -> None:
    found = rows(
        [made(config={"round_to": 8}), made("uniform", config={"round_to": 8})], "Settings"
    )
    assert Row("round_to", ("8",)) in found
    assert Row("strategy", ("gp-rollout", "uniform")) in found


def test_what_a_run_does_not_have_is_a_dash(made: Made) -> None:
    found = rows(
        [made(config={"a": {"b": [1, 2]}}), made("uniform", config={"c": None})], "Settings"
    )
    assert Row("a.b", ("1, 2", "–")) in found
    assert "c" not in [row.name for row in found]


def test_a_setting_of_the_run_itself_is_not_repeated(made: Made) -> None:
    found = rows([made(config={"model": "resnet8", "budget": "macs=0.5", "seed": 0})], "Settings")
    assert [row.name for row in found] == ["model", "dataset", "strategy", "budget", "seed"]


def test_versions_and_times(made: Made) -> None:
    assert rows([made()], "Machine and versions") == [Row("torch", ("2.13.0",))]
    assert Row("search", ("62 s",)) in rows([made()], "Time")
