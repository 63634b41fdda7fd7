"""What is drawn, and what is left out with a word about it."""

import re
from collections.abc import Callable

import pytest

from amc.tasks import ACCURACY, Score
from experiments.report.comparison import compare
from experiments.report.drawing import DOTS, LEAST_SPAN, View, span, view
from experiments.report.kept import kept_picture
from experiments.report.search import search_picture
from experiments.report.tradeoff import tradeoff_picture
from experiments.runs.results import CostChange, RunResult

Made = Callable[..., RunResult]


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def dots(svg: str) -> int:
    """Faint dots, hollow ones included."""
    return len(re.findall(r"<use [^>]*opacity: 0\.5", svg))


def test_failed_candidates_do_not_press_the_others_flat() -> None:
    low, high = span([0.1, 0.88, 0.9], [0.85, 0.95])
    assert 0.7 < low < 0.75
    assert 0.95 < high < 0.97


@pytest.mark.parametrize(
    ("dots_", "needed"), [([], [0.9]), ([0.9, 0.9], [0.9, 0.9]), ([1.0], [0.0])]
)
def test_a_picture_never_shows_less_than_its_least_span(
    dots_: list[float], needed: list[float]
) -> None:
    low, high = span(dots_, needed)
    assert high - low >= LEAST_SPAN
    assert low < min(needed) <= max(needed) < high


def test_what_lies_outside_is_counted() -> None:
    shown = View(0.75, 1.0, ACCURACY)
    assert shown.cut_off([0.1, 0.2, 0.9]) == " 2 candidates below 0.75 lie outside."
    assert shown.cut_off([0.1, 0.9]) == " 1 candidate below 0.75 lies outside."
    assert shown.cut_off([0.9]) == ""


def test_of_a_score_that_goes_down_the_bad_end_is_above():
    shown = view([11.0, 12.0, 900.0], [10.0, 14.0], Score("perplexity", higher_is_better=False))
    assert shown.low < 10 < 18 < shown.high < 20
    assert shown.cut_off([11.0, 900.0]).startswith(" 1 candidate above 18")


def test_names_of_groups_stand_in_forward_order(made: Made) -> None:
    svg = kept_picture(compare([made()])[0], "k").svg
    names = [group.name for group in made().groups]
    assert [word for word in words(svg) if word in names] == names


def test_every_run_has_a_mark_in_every_group(made: Made) -> None:
    results = [made("residual-gp", seed=0), made("residual-gp", seed=1), made("uniform", [0.8])]
    svg = kept_picture(compare(results)[0], "k").svg
    assert len(re.findall(r"<use [^>]*fill: var\(--c0\)", svg)) == 2 * 3
    assert len(re.findall(r"<use [^>]*fill: var\(--c2\)", svg)) == 3


def test_thirty_groups_keep_rows_that_can_be_read_on_a_phone(made: Made) -> None:
    from experiments.report.svg import PHONE_FONT

    names = tuple(f"layer{number}" for number in range(3))
    few = kept_picture(compare([made(names=names)])[0], "k").svg
    height = re.search(r'viewBox="0 0 \d+ (\d+)"', few)
    assert height is not None
    assert int(height[1]) >= 3 * PHONE_FONT


def test_colours_follow_the_page_and_text_stays_text(made: Made) -> None:
    svg = kept_picture(compare([made()])[0], "k").svg
    assert "var(--ink)" in svg
    assert not re.search(r"#[0-9a-f]{6}", svg)
    assert "units kept" in words(svg)
    assert "font-family" not in svg


def test_each_evaluation_is_a_dot_unless_it_lies_far_below(made: Made) -> None:
    picture = search_picture(compare([made(accuracies=[0.9, 0.1, 0.91, 0.92])])[0], "s")
    assert dots(picture.svg) == 3
    assert "1 candidate below" in picture.caption


def test_of_too_many_evaluations_only_some_are_drawn(made: Made) -> None:
    picture = search_picture(compare([made(accuracies=[0.9] * (5 * DOTS))])[0], "s")
    assert DOTS / 2 <= dots(picture.svg) <= DOTS


def test_candidates_over_the_budget_are_hollow_and_the_legend_says_so(made: Made) -> None:
    over = made(left=0.7, accuracies=[0.8, 0.82, 0.85])
    picture = search_picture(compare([over])[0], "s")
    assert "over the budget" in [key.label for key in picture.keys]
    assert len(re.findall(r"<use [^>]*fill-opacity: 0; stroke", picture.svg)) == 3
    fitting = search_picture(compare([made()])[0], "s")
    assert "over the budget" not in [key.label for key in fitting.keys]


def test_the_trade_off_has_a_line_for_a_budget_that_asks_for_something(made: Made) -> None:
    def has_line(budget: str) -> bool:
        picture = tradeoff_picture(compare([made(budgets=(budget,))])[0], "macs", "t")
        return "budget" in [key.label for key in picture.keys]

    assert has_line("macs=0.5")
    assert has_line("macs=600k")
    assert not has_line("macs=2M")
    assert not has_line("params=0.5")


def test_a_network_that_was_not_pruned_at_all_can_be_drawn(made: Made) -> None:
    costs = {"macs": CostChange("MACs", 1e6, 1e6)}
    picture = tradeoff_picture(compare([made(costs=costs, left=1.0, budgets=())])[0], "macs", "t")
    assert "100.0% of the MACs" in picture.svg


def test_dots_measured_on_fewer_images_than_marks_are_called_so(made: Made) -> None:
    def caption(config: dict[str, object]) -> str:
        return tradeoff_picture(compare([made(config=config)])[0], "macs", "t").caption

    assert "a part of the held-out samples" in caption({"search_images": 3000})
    assert "a part of" not in caption({"search_images": 0})
