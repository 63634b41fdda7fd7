"""What is said of a search's scores by themselves."""

import math
from collections.abc import Callable

import pytest

from experiments.report.comparison import compare
from experiments.report.score import margin, score_notes
from experiments.runs.results import RunResult, Scores, Trust

Made = Callable[..., RunResult]

IMAGES = {"search": 400, "holdout": 400, "test": 100}


def said(result: RunResult) -> str:
    return " ".join(score_notes(compare([result])[0]))


def test_the_margin_is_that_of_a_proportion() -> None:
    assert margin(0.9, 100) == pytest.approx(1.96 * 0.03)
    assert margin(1.0, 100) > 0, "a perfect score on few images is no certainty"


def test_the_noise_of_a_score_follows_from_the_number_of_images(made: Made) -> None:
    words = said(made(accuracies=[0.9], samples=IMAGES))
    assert "scored on 400 images: that leaves an accuracy of 0.9000 uncertain by ±0.0294" in words
    assert "uncertain" not in said(made())


def test_a_score_that_flatters_is_found_out_by_the_test_images(made: Made) -> None:
    # 0.85 in the search, 0.80 on test images; the unpruned network loses 0.01 between the two.
    words = said(made(searched=Scores(0.85, 0.80), samples=IMAGES))
    chance = math.hypot(margin(0.85, 400), margin(0.80, 100))
    assert "flatters it by 0.0400" in words
    assert f"explains up to {chance:.4f}" in words
    assert "too modest by 0.0100" in said(made(searched=Scores(0.85, 0.85)))


def test_a_rule_has_no_best_of_many(made: Made) -> None:
    assert "the best of" not in said(made("uniform", [0.8]))


def test_what_was_not_measured_is_said(made: Made) -> None:
    measured = Trust((), (), "refit", {}, 1.0)
    assert "not measured here; amc trust RUN does" in said(made())
    assert "not measured" not in said(made(trust=measured))
