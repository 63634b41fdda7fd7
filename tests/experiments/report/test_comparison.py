"""What is compared with what, and how runs are told apart."""

from collections.abc import Callable

import pytest

from experiments.report.comparison import KNOWN, compare
from experiments.report.markers import COLOURS, MARKERS
from experiments.runs.results import RunResult

Made = Callable[..., RunResult]


def labels(results: list[RunResult]) -> list[str]:
    return [run.label for comparison in compare(results) for run in comparison.runs]


def test_runs_are_called_by_their_strategy(made: Made) -> None:
    assert labels([made("gp-rollout"), made("uniform")]) == ["gp-rollout", "uniform"]


def test_seeds_are_told_apart_and_drawn_alike(made: Made) -> None:
    results = [made("gp-rollout", seed=1), made("uniform"), made("gp-rollout", seed=2)]
    assert labels(results) == ["gp-rollout, seed 1", "uniform", "gp-rollout, seed 2"]
    (comparison,) = compare(results)
    assert [series.label for series in comparison.series] == ["gp-rollout", "uniform"]
    assert comparison.runs[0].series == comparison.runs[2].series
    assert comparison.runs_of(comparison.series[0]) == [comparison.runs[0], comparison.runs[2]]


def test_budgets_are_told_apart_by_label_and_shape(made: Made) -> None:
    results = [made("gp-rollout"), made("gp-rollout", budgets=("macs=0.3",))]
    assert labels(results) == ["gp-rollout, macs=0.5", "gp-rollout, macs=0.3"]
    first, second = compare(results)[0].series
    assert first.colour == second.colour
    assert first.marker != second.marker


def test_runs_that_are_equal_in_all_that_is_told_get_a_number(made: Made) -> None:
    assert labels([made(), made(), made()]) == [
        "gp-rollout, seed 0",
        "gp-rollout, seed 0 (2)",
        "gp-rollout, seed 0 (3)",
    ]


@pytest.mark.parametrize(
    "other",
    [{"model": "vgg-small"}, {"dataset": "cifar10"}, {"names": ("stem.0", "b", "c")}],
)
def test_only_one_network_on_one_data_set_is_compared(made: Made, other: dict[str, object]) -> None:
    first, second = compare([made(), made("uniform", **other), made("manual")])
    assert [run.label for run in first.runs] == ["gp-rollout", "manual"]
    assert [run.label for run in second.runs] == ["uniform"]


def test_a_known_strategy_looks_the_same_in_every_report(made: Made) -> None:
    alone = compare([made("netadapt")])[0].series[0]
    among = compare([made("zebra"), made("ant"), made("uniform"), made("netadapt")])[0].series[3]
    assert alone == among


def test_strategies_of_one_report_never_look_alike(made: Made) -> None:
    names = [*KNOWN, "mine:Search", "yours:Search", "z"]
    (comparison,) = compare([made(name) for name in names])
    looks = {(series.colour, series.marker) for series in comparison.series}
    assert len(looks) == len(names)
    assert {series.colour for series in comparison.series} == set(range(COLOURS))
    assert {series.marker for series in comparison.series} <= set(MARKERS)


def test_costs_are_those_that_budgets_limit(made: Made) -> None:
    both = [made(budgets=("params=50%",)), made("uniform", budgets=("macs=0.5", "params=0.9"))]
    assert compare(both)[0].costs == ("params", "macs")
    assert compare([made(budgets=())])[0].costs == ("macs",)
