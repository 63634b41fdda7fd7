"""The study of peers: the clock that it lends, its table, and what it says of who is ahead."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.disk import Rows
from experiments.settings import NetworkSettings
from experiments.studies.peers.__main__ import main
from experiments.studies.peers.case import Case
from experiments.studies.peers.contenders import _torch_pruned
from experiments.studies.peers.plan import KEYS, Plan
from experiments.studies.peers.tables import table, verdict
from experiments.studies.peers.within import KEYS as KNOB
from experiments.studies.peers.within import KNOBS, within
from experiments.zoo import load_workload

PLAN = Plan(("net",), (0.5,), ("residual-gp", "uniform", "other"), 2, "", "")


def clocked(folder: Path) -> Rows:
    return Rows(folder / "clocked.jsonl", KNOB)


def narrowed(knob: float) -> nn.Module:
    """Ten units, of which so many go, in steps of two, as others round."""
    if knob > 0.9:
        raise RuntimeError("nothing is left")
    return nn.Linear(1, 10 - 2 * round(5 * knob))


def test_the_slowest_network_within_the_time_is_taken(tmp_path: Path) -> None:
    """Eight units take longer than ten, as an unlucky width does."""
    times = {10: 1.0, 8: 1.2, 6: 0.45, 4: 0.5, 2: 0.2}
    asked: list[int] = []

    def clock(network: nn.Module) -> float:
        width = next(iter(network.parameters())).shape[0]
        asked.append(width)
        return times[width]

    found = within(narrowed, clock, 0.5, clocked(tmp_path))
    assert next(iter(found.network.parameters())).shape[0] == 4
    assert sorted(asked) == [2, 4, 6, 8, 10], "networks that are alike are timed once"
    again = within(narrowed, clock, 0.47, clocked(tmp_path))
    assert next(iter(again.network.parameters())).shape[0] == 6
    assert len(asked) == 5, "what the clock said serves every target"
    assert len(clocked(tmp_path).known()) == len(KNOBS)


def test_who_is_nowhere_fast_enough_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere within 10% of the time"):
        within(narrowed, lambda network: 0.2, 0.1, clocked(tmp_path))


def row(contender: str, seed: int, tuned: float, error: str = "") -> dict[str, object]:
    values = {"left": 0.5, "macs": 0.3, "cut": 0.7, "tuned": tuned, "seconds": 3.0}
    return {
        "network": "net",
        "target": 0.5,
        "contender": contender,
        "seed": seed,
        "error": error,
    } | ({} if error else values)


def rows_of(**tuned: tuple[float, float]) -> dict[tuple[object, ...], dict[str, object]]:
    lines = [
        row(name, seed, one) for name, values in tuned.items() for seed, one in enumerate(values)
    ]
    return {tuple(line[key] for key in KEYS): line for line in lines}


def test_ahead_of_the_others_and_beyond_the_interval() -> None:
    ours, own = {"residual-gp": (0.9, 0.902)}, {"uniform": (0.95, 0.95)}
    clear = rows_of(**ours, **own, other=(0.8, 0.801))
    assert "in 1 of 1 cells, beyond the 95% interval of every difference in 1." in verdict(
        clear, PLAN
    )
    close = rows_of(**ours, **own, other=(0.89, 0.911))
    told = verdict(close, PLAN)
    assert "in 1 of 1 cells" in told
    assert "difference in 0." in told
    behind = verdict(rows_of(**ours, **own, other=(0.92, 0.92)), PLAN)
    assert "not ahead of other in net at 50% by 0.0190" in behind


def test_the_table_says_who_failed_and_how() -> None:
    lines = rows_of(**{"residual-gp": (0.9, 0.902)})
    lines["net", 0.5, "other", 0] = row("other", 0, 0.0, error="ValueError: no heads")
    text = table(lines, PLAN, dict.fromkeys(PLAN.contenders, "as it is"))
    assert "| net | 50% | other (as it is) | ValueError: no heads |" in text
    assert "0.9010 ± 0.0127" in text


def test_a_plan_survives_the_way_to_another_interpreter() -> None:
    assert Plan.read(PLAN.written()) == PLAN


def test_a_name_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--networks", "resnet21", "--no-run"]) == 2
    assert "no resnet21; there are resnet20" in capsys.readouterr().out


def test_an_error_in_all_networks_is_told_as_it_is(tmp_path: Path) -> None:
    def broken(knob: float) -> nn.Module:
        raise AttributeError(f"no gradients at {knob}")

    with pytest.raises(ValueError, match=r"AttributeError: no gradients at 0\.05"):
        within(broken, lambda network: 0.2, 0.5, clocked(tmp_path))


@pytest.mark.parametrize("taylor", [False, True])
def test_torch_pruning_cuts_what_is_given(taylor: bool) -> None:
    """Its package is among those of the tests; FastNAS needs the study's own environment."""
    pytest.importorskip("torch_pruning")
    here = Case("net", load_workload(NetworkSettings("mobilenet-v1", "digits"), trained=False))
    before = {name: tensor.clone() for name, tensor in here.model.state_dict().items()}
    smaller = _torch_pruned(here, 0.5, everywhere=True, taylor=taylor)
    assert 0.05 < here.macs_left(smaller) < 0.5
    convolutions = [one for one in smaller.modules() if isinstance(one, nn.Conv2d)]
    assert all(one.out_channels % 8 == 0 for one in convolutions)
    assert all(torch.equal(before[name], own) for name, own in here.model.state_dict().items())


def test_where_nobody_else_is_fast_enough_that_is_no_victory_but_is_told() -> None:
    lines = rows_of(**{"residual-gp": (0.9, 0.902)})
    lines["net", 0.5, "other", 0] = row("other", 0, 0.0, error="TooSlowError: is nowhere fast")
    assert "in 0 of 0 cells" in verdict(lines, PLAN)
    assert "In 1 more none of them is fast enough." in verdict(lines, PLAN)
    text = table(lines, PLAN, dict.fromkeys(PLAN.contenders, "as it is"))
    assert "| net | 50% | other (as it is) | is nowhere fast |" in text
