"""Criteria against brute force, on networks small enough for every run of the tests."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from experiments.studies.criteria import __main__ as bench_criteria
from experiments.studies.criteria import removal
from experiments.studies.criteria.__main__ import COMPARED, correlations, tables
from experiments.studies.criteria.removal import Case, channel_changes, weight_changes
from experiments.zoo.models import build_model

LOOK = ("l1", "taylor", "hessian", "random")


@pytest.fixture(scope="module")
def case():
    """A network with batch norm, whose loss hangs on more than the sizes of weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(removal.NETWORKS, "narrow", partial(build_model, "resnet8", 1, 10, 0.25))
        return Case.trained("narrow", seed=0, epochs=2, images=64)


@pytest.fixture(scope="module")
def rho(case):
    """Over the whole network, the rank correlation of each criterion with the true change."""
    base = case.losses(case.model)[0]
    true = [np.array(group)[:, 0] - base for group in channel_changes(case)]
    found = {}
    for name in LOOK:
        with torch.no_grad():
            score = [one.double().numpy() for one in COMPARED[name].units(case.asked)]
        found[name] = correlations(score, true)
    return found


def test_chance_foretells_nothing(rho):
    assert abs(rho["random"]["whole"]) < 0.25


@pytest.mark.parametrize("name", ["taylor", "hessian"])
def test_gradients_foretell_what_removing_a_channel_does_and_sizes_do_not(rho, name):
    assert rho[name]["whole"] > 0.7
    assert rho[name]["whole"] > rho["l1"]["whole"] + 0.3
    assert rho[name]["within"] > rho["l1"]["within"]


def test_removing_a_channel_is_what_setting_its_readers_to_zero_is(case):
    found = next(channel_changes(case))
    group = case.graph.groups[0]
    for unit in (0, group.units - 1):
        readers = [member for member in group.members if member.side == "in"]
        kept = [case.model.get_parameter(f"{reader.module}.weight") for reader in readers]
        before = [weight.detach().clone() for weight in kept]
        for reader, weight in zip(readers, kept, strict=True):
            weight.data[:, list(reader.indices[unit])] = 0
        assert found[unit] == pytest.approx(case.losses(case.model), rel=1e-4)
        for weight, old in zip(kept, before, strict=True):
            weight.data.copy_(old)


def test_a_refit_mends_a_part_of_what_removing_a_channel_does(case):
    base = case.losses(case.model)[0]
    bare, mended = (
        sum(abs(loss - base) for loss, _ in next(channel_changes(case, refit)))
        for refit in (False, True)
    )
    assert mended < 0.9 * bare


def test_removing_a_weight_is_undone(case):
    name = case.graph.layers[-1].name
    weight = case.model.get_parameter(f"{name}.weight")
    before, base = weight.detach().clone(), case.losses(case.model)
    ((without,),) = weight_changes(case, {name: [1]})
    assert torch.equal(weight, before)
    weight.data[0, 1] = 0
    assert without == case.losses(case.model) != base
    weight.data.copy_(before)


def test_correlations_within_groups_and_over_all():
    score = [np.array([1.0, 2, 3]), np.array([10.0, 20, 30]), np.array([5.0, 5, 5])]
    change = [np.array([4.0, 5, 6]), np.array([3.0, 2, 1]), np.array([7.0, 8, 9])]
    found = correlations(score, change)
    assert found["within"] == 0  # 1 and -1; the third has no order
    assert found["whole"] == pytest.approx(
        np.corrcoef([1, 2, 3, 7, 8, 9, 5, 5, 5], [4, 5, 6, 3, 2, 1, 7, 8, 9])[0, 1]
    )


def test_the_command_prints_and_writes_its_tables(tmp_path, monkeypatch, capsys):
    def bare():
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 10))

    monkeypatch.setattr(bench_criteria, "NETWORKS", {"bare": bare})
    monkeypatch.setattr(removal, "NETWORKS", {"bare": bare})
    monkeypatch.setattr("amc.criteria.gradients.SAMPLES", 20)
    assert bench_criteria.main(["--seeds", "2", "--epochs", "1", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "criteria.md").read_text(encoding="utf-8")
    assert text.strip() == capsys.readouterr().out.strip()
    assert text.count("| `hessian` | ") == 4
    saved = json.loads((tmp_path / "criteria.json").read_text(encoding="utf-8"))
    assert tables(saved["rows"]) == text
    assert saved["made with"]["seeds"] == 2
    assert "bn-scale" not in text
