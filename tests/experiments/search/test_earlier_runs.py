"""`amc search --from RUN`: earlier runs as what a search knows before it begins."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from amc import trace
from experiments.runs import RunResult
from experiments.search.transfer import suggested

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200, "--search-images", 100, "--no-measure")


@pytest.fixture(scope="module")
def earlier(amc, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("earlier") / "run"
    words = (*NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.6", "--episodes", 20)
    amc.good("search", *words, "--out", out)
    return out


def searched(amc, weights, out, *words):
    told = amc.good(
        *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4"),
        *("--episodes", 8, *words, "--out", out),
    )
    return told, RunResult.load(out / "result.json")


def test_its_evaluations_are_begun_with(amc, weights, earlier, tmp_path) -> None:
    told, result = searched(amc, weights, tmp_path / "run", "--from", earlier)
    assert f"begins with 20 evaluations of {earlier} at macs=0.6" in " ".join(told.split())
    assert len(result.evaluations) == 8
    assert result.config["from"] == str(earlier)
    _, alone = searched(amc, weights, tmp_path / "alone")
    assert [one.kept for one in alone.evaluations] != [one.kept for one in result.evaluations]


def test_other_terms_leave_its_ratios_and_not_its_scores(amc, weights, earlier, tmp_path) -> None:
    words = ("--from", earlier, "--search-images", 50)
    told, _ = searched(amc, weights, tmp_path / "run", *words)
    told = " ".join(told.split())
    assert f"begins with the ratios of {earlier} at macs=0.6" in told
    assert "its scores say nothing here" in told


def test_scores_of_networks_that_were_tuned_are_not_learned_from(amc, weights, tmp_path) -> None:
    quick = ("--options.steps", 1, "--options.reduction", 0.3)
    amc.good(
        *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.6", *quick),
        *("--strategy", "netadapt", "--out", tmp_path / "tuned"),
    )
    told, _ = searched(amc, weights, tmp_path / "run", "--from", tmp_path / "tuned")
    assert "it tuned its networks, or its journal" in " ".join(told.split())


def test_another_network_s_ratios_are_carried_over_by_features(
    amc, weights, earlier, tmp_path
) -> None:
    told = amc.good(
        *("search", "--model", "striped_images:network", "--dataset", "striped_images:images"),
        *("--search-images", 30, "--no-measure", "--round-to", 1, "--budget", "macs=0.4"),
        *("--episodes", 6, "--from", earlier, "--out", tmp_path / "run"),
    )
    assert "whose layers are compared by their features" in " ".join(told.split())


def test_the_run_goes_on_with_the_same_runs_alone(amc, weights, earlier, tmp_path) -> None:
    searched(amc, weights, tmp_path / "run", "--from", earlier)
    answer = amc(
        *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4"),
        *("--episodes", 8, "--out", tmp_path / "run"),
    )
    assert answer.code == 2
    assert "--from was" in answer.err


def test_what_cannot_be_begun_with_is_refused(amc, weights, earlier, tmp_path) -> None:
    def refused(*words: object) -> str:
        answer = amc(
            *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4", *words),
            *(() if "--out" in words else ("--out", tmp_path / "run")),
        )
        assert answer.code == 2
        return str(answer.err)

    assert "no result at nowhere" in refused("--from", "nowhere")
    told = refused("--from", earlier, "--strategy", "uniform")
    assert "uniform does not begin with a policy" in told
    told = refused("--from", earlier, "--strategy", "knapsack")
    assert "knapsack does not begin with a policy" in told
    assert "is the folder of --out" in refused("--from", earlier, "--out", earlier)


def line(*widths: int) -> nn.Module:
    torch.manual_seed(0)
    sizes = [4, *widths, 3]
    layers = [
        part
        for inputs, outputs in pairwise(sizes)
        for part in (nn.Linear(inputs, outputs), nn.ReLU())
    ]
    return nn.Sequential(*layers[:-1])


@given(st.lists(st.integers(1, 8), min_size=3, max_size=3))
def test_a_network_suggests_its_own_ratios_to_itself_about(kept: list[int]) -> None:
    graph = trace(line(8, 16, 8), torch.zeros(1, 4))
    (found,) = suggested(graph, [tuple(kept)], graph)
    assert all(1 <= own <= full for own, full in zip(found, graph.full, strict=True))
    ratios = np.array(graph.ratios(tuple(kept)))
    mine = np.array(graph.ratios(found))
    # Three groups are neighbours of each, the nearest being the group itself.
    assert ratios.min() - 1 / 8 <= mine.min()
    assert mine.max() <= ratios.max() + 1e-9


def test_equal_ratios_are_suggested_as_equal_whatever_the_depth() -> None:
    source = trace(line(8, 16, 8), torch.zeros(1, 4))
    target = trace(line(32, 64, 64, 32, 16), torch.zeros(1, 4))
    (found,) = suggested(source, [(4, 8, 4)], target)
    assert found == tuple(units // 2 for units in target.full)
