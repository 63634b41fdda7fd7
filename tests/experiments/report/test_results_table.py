"""The table on the terminal."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from experiments.report import results_table
from experiments.runs.results import CostChange, Pace, RunResult, Scores

Made = Callable[..., RunResult]


def printed(results: list[RunResult], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(results))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def spaced(line: str) -> str:
    return " ".join(line.split())


@pytest.mark.parametrize("width", [80, 100])
def test_each_strategy_is_one_line_with_its_numbers(four: list[RunResult], width: int) -> None:
    lines = printed(four, width)
    assert [spaced(line) for line in lines[2:6]] == [
        "gp-rollout 0.950/0.940 0.850/0.840 0.930/0.920 50.0% 50.0% 3 61.5",
        "netadapt* 0.950/0.940 0.850/0.840 0.930/0.920 50.0% 50.0% 26 61.5",
        "uniform 0.950/0.940 0.800/0.790 0.930/0.920 50.0% 50.0% 1 61.5",
        "manual 0.950/0.940 0.780/0.770 0.930/0.920 40.0% 40.0% 1 61.5",
    ]


def test_below_stand_units_the_unpruned_costs_and_steps_inside_searches(
    four: list[RunResult],
) -> None:
    assert printed(four)[6:] == [
        "accuracy on held-out / test samples",
        "resnet8 on digits, unpruned: 1.00M MACs, 40.0k parameters",
        "* gradient steps inside the search: netadapt: 580",
    ]


def test_speed_comes_first_where_it_was_measured(made: Made) -> None:
    pace = Pace(0.004, 0.002, (1.8, 2.0, 2.1), "torch 2")
    lines = printed([made(pace=pace), made("uniform")])
    assert spaced(lines[0]) == "times after after MACs params search"
    assert [spaced(line) for line in lines[2:4]] == [
        "gp-rollout 2.00 0.850/0.840 0.930/0.920 50.0% 50.0% 3 61.5",
        "uniform – 0.850/0.840 0.930/0.920 50.0% 50.0% 3 61.5",
    ]
    assert "accuracy 0.950/0.940" in lines[5]


def all_costs(left: float) -> dict[str, CostChange]:
    full = {"macs": 1e6, "size": 1.6e5, "memory": 3e5, "energy": 2.5e-5}
    units = {"macs": "MACs", "size": "bytes", "memory": "bytes", "energy": "joules"}
    return {name: CostChange(units[name], full[name], full[name] * left) for name in full}


def test_the_costs_shown_are_those_that_have_a_budget(made: Made) -> None:
    budgets = ("energy=20uJ", "memory=0.5", "size=100kB")
    lines = printed([made(budgets=budgets, costs=all_costs(0.4))])
    assert spaced(lines[0]) == "after after energy memory size search"
    assert spaced(lines[2]) == "gp-rollout 0.850/0.840 0.930/0.920 40.0% 40.0% 40.0% 3 61.5"
    assert " ".join(map(spaced, lines[3:])) == (
        "accuracy on held-out / test samples resnet8 on digits, unpruned: accuracy 0.950/0.940, "
        "1.00M MACs, 160 kB stored size, 300 kB peak memory, 25.0 µJ energy"
    )


def test_one_budget_has_a_usual_cost_beside_it(made: Made) -> None:
    lines = printed([made(budgets=("energy=20uJ",), costs=all_costs(0.4))])
    assert spaced(lines[0]) == "after after energy MACs search"


def test_what_was_not_done_is_a_dash(made: Made) -> None:
    line = printed([made(finetuned=None, seconds={})])[2]
    assert spaced(line) == "gp-rollout 0.950/0.940 0.850/0.840 – 50.0% 50.0% 3 –"


def test_numbers_stay_whole_beside_a_long_name(made: Made) -> None:
    lines = printed([made("mypackage.mysearches:EvolutionarySearch")])
    assert any("0.950/0.940 0.850/0.840" in spaced(line) for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_names_are_not_read_as_markup(made: Made) -> None:
    assert printed([made("[red]x")])[2].startswith("[red]x ")


def test_several_networks_are_parted(made: Made) -> None:
    lines = printed([made(), made(model="vgg-small")], width=120)
    assert "resnet8 on digits" in lines
    assert "vgg-small on digits" in lines


def test_several_seeds_of_every_strategy_are_one_line_each(made: Made) -> None:
    """By hand: 0.91, 0.92, 0.93 have a standard error of 0.01 / sqrt(3), and t is 4.303."""
    ours = [made(seed=at, finetuned=Scores(0.9, 0.91 + at / 100)) for at in range(3)]
    theirs = [made("uniform", seed=at, left=0.4) for at in range(3)]
    lines = printed([*ours, *theirs])
    below = " ".join(map(spaced, lines[4:]))
    assert [spaced(line) for line in lines[2:4]] == [
        "gp-rollout 0.840±0.000 0.920±0.025 50.0% 50.0% 3 61.5",
        "uniform 0.840±0.000 0.920±0.000 40.0% 40.0% 3 61.5",
    ]
    assert "accuracy on test samples, mean of 3 seeds ± half of its 95% interval" in below
    assert "unpruned: accuracy 0.940, 1.00M MACs" in below
    assert all(len(line) <= 80 for line in lines)


def test_a_strategy_with_one_seed_leaves_every_run_its_line(made: Made) -> None:
    lines = printed([made(), made(seed=1), made("uniform")], width=120)
    assert [line.split("  ")[0] for line in lines[2:5]] == [
        "gp-rollout, seed 0",
        "gp-rollout, seed 1",
        "uniform",
    ]
