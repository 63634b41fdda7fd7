"""The sentences at the top of the report."""

from collections.abc import Callable

from experiments.report.comparison import compare
from experiments.report.headline import headlines, notes
from experiments.runs.results import CostChange, RunResult, Scores

Made = Callable[..., RunResult]


def test_one_run_is_told_with_what_is_left_and_how_good_it_is(made: Made) -> None:
    assert headlines(compare([made()])[0]) == [
        "gp-rollout leaves resnet8 with 50.0% of its MACs, and with a test accuracy of 0.9200 "
        "after fine-tuning, against 0.9400 unpruned."
    ]


def test_costs_of_one_unit_are_told_apart(made: Made) -> None:
    costs = {"size": CostChange("bytes", 9e5, 3e5), "memory": CostChange("bytes", 9e5, 6e5)}
    (sentence,) = headlines(compare([made(costs=costs, budgets=())])[0])
    assert "with 33.3% of its stored size and 66.7% of its peak memory, and" in sentence


def test_the_winner_is_chosen_on_held_out_images_not_on_test_images(made: Made) -> None:
    results = [
        made("gp-rollout", finetuned=Scores(0.91, 0.99)),
        made("netadapt", finetuned=Scores(0.93, 0.90)),
        made("uniform", finetuned=Scores(0.92, 0.91)),
    ]
    (sentence,) = headlines(compare(results)[0])
    assert sentence.startswith("netadapt leaves resnet8")
    assert sentence.endswith("it is 0.0100 ahead of the next best, uniform.")


def test_a_lead_that_so_few_images_cannot_show_is_said_to_be_chance(made: Made) -> None:
    """Of 240 images: chance alone is worth 1.96 * sqrt(2 * 0.09 / 240), which is 0.0537."""
    for lead, doubt in ((0.05, True), (0.06, False)):
        results = [
            made("gp-rollout", finetuned=Scores(0.9, 0.9), samples={"holdout": 240}),
            made("uniform", finetuned=Scores(0.9 - lead, 0.9), samples={"holdout": 240}),
        ]
        (sentence,) = headlines(compare(results)[0])
        assert sentence.endswith("which 240 images cannot tell from chance.") is doubt


def test_a_draw_is_called_one(made: Made) -> None:
    (sentence,) = headlines(compare([made("gp-rollout"), made("uniform")])[0])
    assert sentence.endswith("it is level with the next best, uniform.")


def test_each_budget_has_its_own_winner(made: Made) -> None:
    tight = made("uniform", budgets=("macs=0.3",), finetuned=Scores(0.8, 0.8))
    first, second = headlines(compare([made("gp-rollout"), tight])[0])
    assert first.startswith("gp-rollout, macs=0.5 leaves")
    assert second.startswith("uniform, macs=0.3 leaves")
    assert "next best" not in first + second


def test_the_reader_is_warned_of_unequal_terms(made: Made) -> None:
    said = " ".join(notes(compare([made("gp-rollout"), made("netadapt", tuned_steps=1200)])[0]))
    assert "netadapt: 1,200 gradient steps" in said
    assert "gp-rollout" not in said
    assert "Fine-tuning after the search took 400 gradient steps." in said
    unequal = " ".join(notes(compare([made("gp-rollout"), made("uniform", finetune_steps=9)])[0]))
    assert "not on equal terms" in unequal


def test_one_seed_is_called_little_evidence(made: Made) -> None:
    one = " ".join(notes(compare([made("gp-rollout"), made("uniform")])[0]))
    assert "one seed" in one
    several = [made("gp-rollout"), made("gp-rollout", seed=1)]
    assert "one seed" not in " ".join(notes(compare(several)[0]))
    assert "one seed" not in " ".join(notes(compare([made()])[0]))


def test_a_budget_of_what_nobody_measures_says_what_it_is(made: Made) -> None:
    told = notes(compare([made(budgets=("energy=0.5", "memory=2MB"))])[0])
    assert sum("is a formula and no measurement" in note for note in told) == 1
    assert sum("hold at their worst moment" in note for note in told) == 1
    assert not [note for note in notes(compare([made()])[0]) if "formula" in note]
