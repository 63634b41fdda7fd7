"""The study of widths: real cells of a small network, and what its tables say of made-up ones."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.disk import Rows
from experiments.studies.architectures.networks import Network
from experiments.studies.widths import timing
from experiments.studies.widths.__main__ import by_network, by_setting, saved, slower, twice_slower
from experiments.studies.widths.timing import AUTO, CUTS, SINGLE, Cell


def cell(pruned: float, counts: str = AUTO, budget: float = 0.5, again: float = 1.0) -> Cell:
    return Cell("net", budget, counts, budget, "torch", 1, 1, 1.0, again, pruned)


def test_slower_is_beyond_the_noise_and_of_auto_alone() -> None:
    cells = [cell(1.01), cell(1.01, again=1.05), cell(0.9), cell(3.0, SINGLE)]
    assert slower(cells) == cells[:1]


def test_savings_are_parts_of_those_of_macs() -> None:
    assert saved([cell(0.6), cell(0.9), cell(0.5)]) == pytest.approx(0.8)


def test_slower_is_what_is_so_when_it_is_timed_once_more(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "widths.jsonl", ("name", "again"))
    slow, fast = cell(1.2), cell(0.9)
    wide = replace(slow, batch=16)
    for again, cells in ((False, [slow, wide]), (True, [fast, wide])):
        rows.add({"name": "net", "again": again, "cells": [*map(asdict, cells)]})
    assert twice_slower(rows, "net") == [wide]


def test_tables_have_every_setting_and_network() -> None:
    cells = [cell(0.6, counts, budget) for budget, counts in CUTS]
    setting = by_setting(cells).splitlines()
    assert [line.split(" | ")[0] for line in setting[2:]] == ["| torch, 1 thread, batch 1", "| all"]
    assert "| net | 60.0%, MACs 75.0% | 60.0%, MACs 50.0%" in by_network(cells)


def test_a_network_is_cut_and_timed_in_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 5)),
    )
    small = Network(lambda: (net, torch.randn(1, 3, 12, 12)))
    monkeypatch.setattr(timing, "NETWORKS", {"small": small})
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    found = timing.cells("small")
    settings = {(one.runtime, one.threads, one.batch) for one in found}
    assert len(settings) == 8
    assert len(found) == 8 * len(CUTS)
    assert all(0 < one.macs <= one.budget for one in found)
    assert all(min(one.unpruned, one.again, one.pruned) > 0 for one in found)
