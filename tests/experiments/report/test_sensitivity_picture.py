"""The scan of every group in the report."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from amc.history import Outcome
from experiments.report import render
from experiments.report.comparison import compare
from experiments.report.sensitivity import scans, sensitivity_picture
from experiments.runs.results import RunResult

Made = Callable[..., RunResult]

FULL = (16, 32, 64)
SCAN = [
    (FULL, 0.9),
    ((8, 32, 64), 0.8),
    ((4, 32, 64), 0.6),
    ((16, 8, 64), 0.5),
    ((16, 32, 32), 0.895),
    ((8, 24, 32), 0.7),
]


def outcomes(points: list[tuple[tuple[int, ...], float]]) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(number, kept, accuracy, {"macs": 4e5, "params": 1e4}, 1.0)
        for number, (kept, accuracy) in enumerate(points)
    )


@pytest.fixture
def scanned(made: Made) -> RunResult:
    return made("sensitivity", evaluations=outcomes(SCAN))


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_scan_is_known_by_its_candidates(made: Made, scanned: RunResult) -> None:
    (scan,) = scans(compare([made("gp-rollout"), scanned])[0])
    assert scan.run.result is scanned
    assert scan.unpruned == 0.9
    assert [curve.merits.tolist() for curve in scan.curves] == [
        [0.9, 0.8, 0.6],
        [0.9, 0.5],
        [0.9, 0.895],
    ]


@pytest.mark.parametrize("missing", [0, 3])
def test_without_the_unpruned_network_or_a_group_it_is_no_scan(made: Made, missing: int) -> None:
    points = [point for at, point in enumerate(SCAN) if at != missing]
    assert scans(compare([made(evaluations=outcomes(points))])[0]) == []


def test_a_group_that_no_candidate_prunes_has_a_curve_of_one_point(made: Made) -> None:
    points = [(kept, accuracy) for kept, accuracy in SCAN if kept[2] == 64]
    (scan,) = scans(compare([made("sensitivity", evaluations=outcomes(points))])[0])
    assert scan.curves[2].ratios.tolist() == [0]
    assert sensitivity_picture(scan, "resnet8 on digits", "k").svg


def test_one_candidate_is_no_scan(made: Made) -> None:
    assert scans(compare([made("uniform", evaluations=outcomes(SCAN[:1]))])[0]) == []


def test_networks_tuned_inside_the_search_are_no_scan(made: Made) -> None:
    tuned = made("netadapt", evaluations=outcomes(SCAN), tuned_steps=10)
    assert scans(compare([tuned])[0]) == []


def test_the_table_looks_up_what_a_group_may_lose(scanned: RunResult) -> None:
    (scan,) = scans(compare([scanned])[0])
    first, second, third = scan.table
    assert (first[0], first[1]) == ("stem.0", 0.5)
    # From 0.9 to 0.8 over half of the units; from 0.9 to 0.5 over three quarters.
    assert first[2] == pytest.approx([0.05, 0.25, 0.5])
    assert second[2] == pytest.approx([0.75 / 40, 0.75 / 8, 0.75 / 4])
    assert third[2] == pytest.approx([0.5, 0.5, 0.5])


def test_every_group_has_a_panel_with_its_points(scanned: RunResult) -> None:
    (scan,) = scans(compare([scanned])[0])
    picture = sensitivity_picture(scan, "resnet8 on digits", "k")
    names = [group.name for group in scanned.groups]
    assert [word for word in words(picture.svg) if word in names] == names
    colour = scan.run.series.colour
    points = re.findall(rf"<use [^>]*fill: var\(--c{colour}\)", picture.svg)
    assert len(points) == 3 + 2 + 2
    assert "0.9000" in picture.caption
    assert "stem.0 5.0%" in picture.svg


def test_many_groups_make_the_picture_taller_and_not_the_panels_smaller(
    scanned: RunResult,
) -> None:
    (scan,) = scans(compare([scanned])[0])

    def height(times: int) -> int:
        result = replace(scanned, groups=scanned.groups * times)
        more = replace(scan, run=replace(scan.run, result=result), curves=scan.curves * times)
        found = re.search(r'viewBox="0 0 \d+ (\d+)"', sensitivity_picture(more, "", "k").svg)
        assert found is not None
        return int(found[1])

    assert height(6) - height(4) == height(4) - height(2) > 100


def test_the_page_has_the_section_only_where_there_was_a_scan(
    made: Made, scanned: RunResult
) -> None:
    assert "Sensitivity: what does one group cost?" in render([scanned])
    assert "Sensitivity: what does one group cost?" not in render([made("gp-rollout")])
