"""Searches with a latency table, on the command line and off it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flat_settings import settings_of
from made_tables import in_blocks, rising, table_of
from torch import nn

from amc.costs import BudgetError, Limits
from amc.costs.latency import Device, Latency, LatencyTable, fast_counts
from amc.granularity import Rounding
from amc.graph import PruningGraph
from amc.policy import Budget
from amc.tracing.build import trace
from experiments.latency import clock
from experiments.latency.outlook import outlook, where
from experiments.latency.semi_structured import obstacle
from experiments.latency.terms import about_device, terms_of
from experiments.runs.results import RunResult
from experiments.settings import NetworkSettings, SearchSettings
from experiments.zoo.networks import load_workload

NETWORK = NetworkSettings(model="resnet8", dataset="digits", width=0.5)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands without --out meet no run that somebody left where the tests are started."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def graph() -> PruningGraph:
    """Of the network that the fixture `search` prunes."""
    workload = load_workload(NETWORK, trained=False)
    return trace(workload.model, workload.example)


@pytest.fixture(scope="module")
def tables(graph: PruningGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of blocks, and one in which every channel counts."""
    folder = tmp_path_factory.mktemp("tables")
    for formula in (in_blocks, rising):
        table = table_of(graph, formula, constant=1e-5)
        (folder / f"{formula.__name__}.json").write_text(table.to_json(), encoding="utf-8")
    return folder


def agreed(graph: PruningGraph, tables: Path, **settings: Any) -> Any:
    """Terms of a search with the table of blocks."""
    config = settings_of(SearchSettings, **{"latency": str(tables / "in_blocks.json"), **settings})
    return terms_of(config, nn.Identity(), graph, Rounding(config.problem.multiple))


def test_a_latency_budget_holds_and_is_reported(search: Any, tables: Path) -> None:
    table = tables / "in_blocks.json"
    run = search("--strategy", "uniform", "--budget", "latency=0.6", "--latency", table)
    result = RunResult.load(run / "result.json")
    change = result.costs["latency"]
    assert change.unit == "seconds"
    assert 0.3 < change.fraction <= 0.6
    (outcome,) = result.evaluations
    assert outcome.costs["latency"] == change.pruned
    assert all(group.kept % 4 == 0 for group in result.groups)
    assert "latency" in (run / "report.html").read_text(encoding="utf-8")


def test_the_latency_of_a_run_is_the_tables(search: Any, tables: Path, graph: PruningGraph) -> None:
    table = tables / "rising.json"
    run = search("--strategy", "uniform", "--budget", "macs=0.5", "--latency", table)
    result = RunResult.load(run / "result.json")
    latency = Latency(graph, LatencyTable.load(table))
    kept = [group.kept for group in result.groups]
    assert result.costs["latency"].pruned == latency(kept)
    assert result.costs["latency"].unpruned == latency(graph.full)


def test_a_policy_is_told_its_latency(
    amc: Any, search: Any, weights: Path, tables: Path, tmp_path: Path
) -> None:
    policy = search("--strategy", "uniform") / "policy.json"
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    table = ("--latency", tables / "rising.json", "--calibration-images", 0)
    amc.good("prune", *network, "--policy", policy, *table, "--out", tmp_path / "run")
    assert 0 < RunResult.load(tmp_path / "run" / "result.json").costs["latency"].fraction < 1


def test_legal_counts_are_the_edges_where_time_is_limited(
    graph: PruningGraph, tables: Path
) -> None:
    for settings in ({"budget": "latency=0.6"}, {"round_to": "hardware"}):
        counts = agreed(graph, tables, **settings).rounding.legal(graph.full)
        assert all(count % 4 == 0 for legal in counts for count in legal)


def test_elsewhere_they_are_as_they_were(graph: PruningGraph, tables: Path) -> None:
    found = agreed(graph, tables, budget="macs=0.5", round_to=3)
    assert found.rounding == Rounding(3)
    assert "latency" in found.costs


def test_edges_are_multiples_too_where_both_are_asked_for(
    graph: PruningGraph, tables: Path
) -> None:
    found = agreed(graph, tables, budget="latency=0.8", round_to=3)
    counts = found.rounding.legal(graph.full)
    full = zip(counts, graph.full, strict=True)
    assert all(count % 12 == 0 or count == units for legal, units in full for count in legal)


def test_what_to_expect_is_told_before_a_search(graph: PruningGraph, tables: Path) -> None:
    told = "\n".join(agreed(graph, tables, budget="macs=0.5").notes)
    assert "latency is that on another device than this one: processor a processor, not" in told
    assert "latency on a processor, onnxruntime 1.0.0, 1 thread, batch 1: unpruned" in told
    assert "uniform ratios at macs=0.5: " in told
    assert "% of the time with the edges of steps alone" in told


def test_a_budget_that_makes_nothing_faster_is_warned_of(graph: PruningGraph, tables: Path) -> None:
    slower = "\n".join(agreed(graph, tables, budget="macs=0.9", round_to=1).notes)
    assert "warning: uniform ratios at macs=0.9 do not make this network faster on that " in slower
    assert "give a budget of latency, or --round-to hardware" in slower
    assert "where the time goes" in slower
    table = str(tables / "rising.json")
    larger = "\n".join(agreed(graph, tables, budget="latency=0.999", latency=table).notes)
    assert "give a smaller budget" in larger
    faster = "\n".join(agreed(graph, tables, budget="macs=0.9", round_to="hardware").notes)
    assert "warning" not in faster
    assert "where the time goes" not in faster


def test_random_ratios_may_do_what_uniform_ones_do_not(graph: PruningGraph) -> None:
    """Only 9 to 12 channels are fast, of 16: more than uniform ratios take at this budget."""
    table = table_of(graph, lambda i, o: 1e-5 if 8 < o < 13 else 1e-3)
    latency, plain = Latency(graph, table), Rounding()
    rounding = replace(plain, widths=fast_counts(graph, latency, plain.legal(graph.full)))
    budgets = [Budget.parse("macs=0.75")]
    told = "\n".join(outlook(latency, graph, budgets, (plain, rounding), plain))
    assert re.search(r"warning: .*of 20 random ones the best leave \d", told)


def test_where_the_time_goes_adds_up_with_what_no_pruning_reaches(graph: PruningGraph) -> None:
    latency = Latency(graph, table_of(graph, rising, constant=3e-3))
    smallest = tuple(counts[0] for counts in Rounding().legal(graph.full))
    heading, *lines = where(latency, graph, smallest).splitlines()
    assert heading.split("  ")[0] == "where the time goes"
    assert len({len(line) for line in [heading, *lines]}) == 1
    shares = [[float(word.rstrip("%")) for word in line.split()[-2:]] for line in lines]
    *parts, whole = np.array(shares)
    assert np.sum(parts, axis=0) == pytest.approx(whole, abs=0.3)
    assert whole[0] == 100
    assert whole[1] == pytest.approx(100 * latency(smallest) / latency(graph.full), abs=0.05)
    assert "the rest" in lines[-2]


def test_a_network_that_no_pruning_makes_faster_is_told(graph: PruningGraph) -> None:
    latency, plain = Latency(graph, table_of(graph, lambda i, o: 1e-3)), Rounding()
    rounding = replace(plain, widths=fast_counts(graph, latency, plain.legal(graph.full)))
    told = "\n".join(outlook(latency, graph, [], (plain, rounding), plain))
    assert "warning: no pruning makes this network faster on that device" in told
    assert "where the time goes" in told


def test_a_budget_that_no_pruning_reaches_names_the_least(
    amc: Any, weights: Path, tables: Path
) -> None:
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    table = ("--latency", tables / "in_blocks.json")
    answer = amc("search", *network, *table, "--strategy", "uniform", "--budget", "latency=0.01")
    assert answer.code == 2
    assert "budget latency=0.01 cannot be reached: the smallest network" in answer.err
    allowed = (
        "at most 0.8 per layer at the edges of steps, with every branch gone that may go, allows"
    )
    assert f"{allowed} has latency=0." in answer.err
    assert "or --max-ratio, here and, where the table ends, in `amc profile`" in answer.err
    assert "even one unit" not in answer.err


def test_a_larger_ratio_mends_it_where_the_table_goes_further(
    graph: PruningGraph, tables: Path
) -> None:
    """What the refusal advises; these tables know every width."""
    least = {}
    for most in (0.8, 0.95):
        config = settings_of(
            SearchSettings, latency=str(tables / "rising.json"), budget="latency=0.99"
        )
        found = terms_of(config, nn.Identity(), graph, Rounding(1, most))
        smallest = [counts[0] for counts in found.rounding.legal(graph.full)]
        least[most] = found.costs["latency"](graph)(smallest)
    assert least[0.95] < least[0.8]


def test_a_budget_of_work_that_the_edges_do_not_reach_is_advised_alike(
    graph: PruningGraph, tables: Path
) -> None:
    found = agreed(graph, tables, budget="macs=0.5", round_to="hardware")
    for budget, told in (("macs=0.03", "in `amc profile`$"), ("macs=1e-9", "even one unit a lay")):
        with pytest.raises(BudgetError, match=told):
            Limits.of(
                graph, [Budget.parse(budget)], found.costs, replace(found.rounding, depth=False)
            )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--round-to", "fast"), "--round-to is 'fast'; it must be 1 or more, auto or hardware"),
        (("--round-to", 0), "--round-to is 0; it must be 1 or more, auto or hardware"),
        (("--latency", "none.json"), "no latency table at none.json; `amc profile` writes one"),
    ],
)
def test_mistakes(amc: Any, weights: Path, words: tuple[Any, ...], told: str) -> None:
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    answer = amc("search", *network, "--strategy", "uniform", *words)
    assert answer.code == 2
    assert told in answer.err


def test_a_table_of_another_network_is_refused(
    amc: Any, weights: Path, graph: PruningGraph, tmp_path: Path
) -> None:
    data = json.loads(table_of(graph).to_json())
    data["layers"][0]["in_size"] = [28, 28]
    (tmp_path / "other.json").write_text(json.dumps(data), encoding="utf-8")
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    answer = amc("search", *network, "--strategy", "uniform", "--latency", tmp_path / "other.json")
    assert answer.code == 2
    assert (
        "the latency table is of another network (made up): where this one has in_size"
        in answer.err
    )


def test_a_policy_is_applied_with_a_table_of_another_device_and_it_is_told(
    amc: Any, weights: Path, uniform_run: Path, tables: Path, tmp_path: Path
) -> None:
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    policy = ("--policy", uniform_run / "policy.json", "--latency", tables / "rising.json")
    told = amc.good("prune", *network, *policy, "--out", tmp_path / "applied")
    assert "latency is that on" in told


@pytest.mark.parametrize(
    ("granularity", "reason"),
    [
        ("element", "and this granularity is element; prune at granularity channel"),
        pytest.param(
            "2:4",
            f"and {obstacle()}; prune at granularity channel",
            marks=pytest.mark.skipif(not obstacle(), reason="here 2:4 is really faster"),
        ),
    ],
)
def test_masks_save_no_time(
    amc: Any, weights: Path, tables: Path, granularity: str, reason: str
) -> None:
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    masked = ("--granularity", granularity, "--budget", "latency=0.6")
    table = ("--latency", tables / "in_blocks.json")
    answer = amc("search", *network, "--strategy", "uniform", *masked, *table)
    assert answer.code == 2
    assert "zeros of a mask are computed like other weights" in answer.err
    assert reason in answer.err


HERE = Device(**clock.device("onnxruntime", 1), batch=1)


def test_a_table_of_this_device_needs_no_remark(graph: PruningGraph) -> None:
    assert about_device(replace(table_of(graph), device=HERE)) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": "0.1.0"}, "on another device than this one: version 0.1.0, not "),
        ({"revision": "model 99"}, "on another device than this one: revision model 99, not "),
        ({"instructions": "mmx"}, "on another device than this one: instructions mmx, not "),
    ],
)
def test_a_table_of_another_device_is_told_with_the_difference(
    graph: PruningGraph, changes: dict[str, str], told: str
) -> None:
    (note,) = about_device(replace(table_of(graph), device=replace(HERE, **changes)))
    assert told in note


@pytest.mark.skipif(not HERE.revision, reason="this system does not tell the revision either")
def test_a_table_of_an_earlier_release_may_be_of_another_generation(graph: PruningGraph) -> None:
    old = json.loads(replace(table_of(graph), device=HERE).to_json())
    del old["device"]["revision"], old["device"]["instructions"]
    (note,) = about_device(LatencyTable.from_json(json.dumps(old)))
    assert "the table, of an earlier release, does not tell its revision" in note
    assert "profile again" in note
