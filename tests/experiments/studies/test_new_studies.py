"""Tables of the studies of head starts, fronts and of what a search is worth, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.disk import Rows
from experiments.studies import fronts, headstart
from experiments.studies.worth import __main__ as worth
from experiments.studies.worth.contenders import CONTENDERS, LONGER, OURS, SCRATCH
from experiments.studies.worth.running import Running
from experiments.studies.worth.tables import tables

MACHINE = "torch, 2 cores"


def curve(*values: float) -> list[float]:
    return [*values, *values[-1:] * (headstart.EPISODES - len(values))]


def test_a_head_start_is_told_in_what_it_reaches_and_when() -> None:
    rows = {
        ("resnet20", "nothing", 0): {"curve": curve(0.1, 0.2, 0.6), "machine": MACHINE},
        ("resnet20", "budget", 0): {"curve": curve(0.5, 0.7), "machine": MACHINE},
        ("resnet20", "network", 0): {"curve": curve(0.3), "machine": MACHINE},
    }
    text = headstart.table(rows, 5)
    told = {line.split(" | ")[1]: line for line in text.splitlines() if line.startswith("| resnet")}
    assert "0.7000 | +0.1000 | 2 | 1 |" in told["its own evaluations at `macs=0.3`"]
    assert "-0.3000 | 1 never | 1 |" in told["the other network's best at `macs=0.15`"]


def test_a_front_is_held_against_searches_of_its_own() -> None:
    points = len(fronts.LEVELS)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {
        ("resnet20", fronts.ALL, 0): {"scores": [0.9] * points, "machine": MACHINE}
    }
    for at, level in enumerate(fronts.LEVELS):
        own = 0.904 if at else 0.906
        rows["resnet20", level, 0] = {"scores": [own], "machine": MACHINE}
    text = fronts.table(rows, 5)
    assert f"below a search of its own at {points - 1} of {points} budgets" in text
    assert "| resnet20 | 20.0% | 0.9000 | 0.9060 | -0.0060 | 1 |" in text


def line(tuned: float, **changes: Any) -> dict[str, Any]:
    seconds = {"prepare": 1.0, "search": 2.0, "finetune": 3.0}
    values = {"error": "", "left": 0.15, "cut": 0.5, "tuned": tuned, "machine": MACHINE}
    return {**values, "seconds": seconds, "core_seconds": 120.0, **changes}


def test_what_a_search_is_worth_is_told_with_all_that_it_costs() -> None:
    cell = ("resnet20", "macs=0.15")
    rows = {
        (*cell, name, seed): line(tuned + 0.001 * seed)
        for name, tuned in ((OURS, 0.91), ("uniform", 0.90), (LONGER, 0.92))
        for seed in (0, 1)
    }
    rows[(*cell, "netadapt", 0)] = {"error": "no", "machine": MACHINE}
    text = tables(rows, [cell, ("resnet20", "macs=0.3")], 5)
    assert "resnet20 at `macs=0.15`:" in text
    assert "macs=0.3" not in text
    assert "| 6 s | 2.0 | 2 |" in text
    assert "netadapt" not in text
    assert f"`{OURS}` is ahead of `uniform`" in text
    assert "in 1 of 1 cells, beyond the 95% interval in 1, and behind by more than it in 0." in text
    assert "in 0 of 1 cells, beyond the 95% interval in 0, and behind by more than it in 1." in text


def test_uniform_ratios_are_tuned_for_as_long_as_ours_takes_in_all(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", ("network", "budget", "contender", "seed"))
    cell = {"network": "resnet20", "budget": "macs=0.15", "seed": 0}
    ours = {"prepare": 4.0, "search": 40.0, "choose": 20.0, "finetune": 20.0}
    even = {"prepare": 4.0, "search": 0.0, "finetune": 20.0}
    rows.add({**cell, "contender": OURS, "seconds": ours})
    rows.add({**cell, "contender": "uniform", "seconds": even})
    running = Running(rows, tmp_path, 1.0, 100, None)  # type: ignore[arg-type]
    epochs = running._longer(("resnet20", "macs=0.15", LONGER, 0))
    # 84 seconds in all, of which 4 go to preparing, at 20 s an epoch.
    assert epochs == pytest.approx(4.0)


def test_what_is_trained_from_scratch_comes_last_and_seeds_are_even() -> None:
    cells = [("resnet20", "macs=0.3"), ("vit-small", "macs=0.3")]
    order = list(worth._order(cells, list(CONTENDERS), 2))
    quick = [key for key in order if key[2] != SCRATCH]
    assert order[: len(quick)] == quick
    assert [key[3] for key in quick] == sorted(key[3] for key in quick)
    # What `uniform-longer` needs to know is there before it.
    names = [key[2] for key in quick[: len(CONTENDERS) - 1]]
    assert names.index(LONGER) > max(names.index(OURS), names.index("uniform"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--contenders", "unifrom"), "no unifrom; there are"),
        (("--cells", "resnet21:macs=0.3"), "'resnet21' is no NETWORK:BUDGET"),
    ],
)
def test_a_name_that_is_not_there_is_told(
    words: tuple[str, ...], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert worth.main([*words, "--no-run"]) == 2
    assert wanted in capsys.readouterr().out


def test_every_network_has_ratios_that_a_person_set() -> None:
    from experiments.studies.peers.case import NETWORKS

    for name in NETWORKS:
        assert Path(CONTENDERS["by-hand"].options_for(name)["file"]).is_file()
