"""The sentences at the top of the report."""

from collections.abc import Callable

from amc.tasks import Score
from experiments.report.comparison import compare
from experiments.report.headline import headlines, notes, over_seeds
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


def test_over_seeds_a_lead_has_an_interval(made: Made) -> None:
    """0.010 apart; three seeds each of standard deviation 0.01, so Welch gives ±0.0227."""
    values = (-0.01, 0, 0.01)
    ours = [made(seed=at, finetuned=Scores(0.95, 0.93 + by)) for at, by in enumerate(values)]
    theirs = [
        made("uniform", seed=at, finetuned=Scores(0.94, 0.92 + by)) for at, by in enumerate(values)
    ]
    clear = [
        made("manual", seed=at, finetuned=Scores(0.9, 0.80 + by)) for at, by in enumerate(values)
    ]
    (sentence,) = headlines(compare([*ours, *theirs, *clear])[0])
    assert sentence == (
        "Over 3 seeds gp-rollout leaves resnet8 with a test accuracy of 0.930±0.025 after "
        "fine-tuning, against 0.9400 unpruned. That is 0.0100 ± 0.0227 ahead of uniform (chance "
        "may give that) and 0.1300 ± 0.0227 ahead of manual."
    )


def test_over_seeds_a_score_that_goes_down_is_ahead_where_it_is_lower(made: Made) -> None:
    loss = Score("loss", "", higher_is_better=False)
    values = {"gp-rollout": 1.0, "uniform": 2.0}
    results = [
        made(name, seed=seed, score=loss, finetuned=Scores(value, value + seed / 100))
        for name, value in values.items()
        for seed in range(3)
    ]
    (sentence,) = over_seeds(results)
    assert "Over 3 seeds gp-rollout" in sentence
    assert "1.0000 ± 0.0227 ahead of uniform." in sentence


def test_over_seeds_equal_runs_are_no_lead(made: Made) -> None:
    results = [made(name, seed=seed) for name in ("uniform", "manual") for seed in range(2)]
    assert "0.0000 ± 0.0000 ahead of manual (chance may give that)." in over_seeds(results)[0]
    assert over_seeds([made(), made("uniform")]) == []
