"""The one call from a trained network to a smaller one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from made_tables import in_blocks, table_of
from tiny_networks import images, samples, tiny

import amc
from amc.costs import Macs
from amc.costs.latency import Latency
from amc.strategies import STRATEGIES, RandomSearch
from amc.tasks import Samples

HELD = samples(24)
DATA = amc.Classification(samples(40), HELD, samples(30))


def test_the_network_the_policy_and_the_costs_are_of_the_best_candidate() -> None:
    model = tiny("residual")
    found = amc.search(model, images(), DATA, budget="macs=0.6", strategy="random", episodes=5)
    graph, smaller = amc.trace(model, images()), amc.trace(found.network, images())
    assert smaller.full == tuple(count for count in found.policy.kept if count)
    assert found.costs["macs"] == Macs(smaller)(smaller.full)
    assert found.unpruned_costs["macs"] == Macs(graph)(graph.full)
    assert found.costs["macs"] <= 0.6 * found.unpruned_costs["macs"]
    with torch.inference_mode():
        guesses = found.network(HELD.floats()).argmax(1)
    assert found.score == pytest.approx((guesses == HELD.labels).float().mean().item())
    assert found.score == max(outcome.score for outcome in found.outcomes)


def test_a_name_and_an_object_give_the_same() -> None:
    def kept(strategy: str | amc.Strategy, episodes: int | None) -> list[tuple[int, ...]]:
        found = amc.search(
            tiny("residual"),
            images(),
            DATA,
            budget=["macs=0.7", amc.Budget("params", 0.8)],
            strategy=strategy,
            episodes=episodes,
            seed=3,
        )
        return [outcome.kept for outcome in found.outcomes]

    assert kept("random", 4) == kept(RandomSearch(4), None)


def test_a_budget_of_latency_is_kept_by_a_table(tmp_path: Path) -> None:
    model = tiny("residual")
    table = table_of(amc.trace(model, images()), in_blocks)
    (tmp_path / "latency.json").write_text(table.to_json(), encoding="utf-8")
    asked = {"budget": "latency=0.6", "strategy": "random", "episodes": 6}
    found = amc.search(model, images(), DATA, latency=tmp_path / "latency.json", **asked)  # type: ignore[arg-type]
    assert found.costs["latency"] <= 0.6 * found.unpruned_costs["latency"]
    graph = amc.trace(model, images())
    again = Latency(graph, table)([group.kept for group in found.policy.groups])
    # Counts that a wider one equals in speed are not taken, so that both predictions are one.
    assert found.costs["latency"] == pytest.approx(again)
    by_macs = {"budget": "macs=0.6", "strategy": "uniform"}
    other = amc.search(model, images(), DATA, latency=table, **by_macs)  # type: ignore[arg-type]
    assert "latency" in other.costs


def test_masked_weights_have_no_budget_of_latency() -> None:
    given = {"budget": "latency=0.6", "strategy": "uniform", "granularity": "element"}
    with pytest.raises(ValueError, match="latency is for granularity channel, as zeros are"):
        amc.search(tiny("residual"), images(), DATA, **given)  # type: ignore[arg-type]


def test_of_samples_alone_two_parts_are_held_out_the_same_for_the_same_seed() -> None:
    whole = samples(60)
    data = amc.Classification.split(whole, seed=1)
    parts = [data.train_loader, data.score_loader, data.test_loader]
    assert all(isinstance(part, Samples) for part in parts)
    assert [len(part) for part in parts] == [40, 10, 10]
    together = torch.cat([part.inputs for part in parts]).flatten(1)
    assert sorted(together.tolist()) == sorted(whole.inputs.flatten(1).tolist())
    found = amc.search(tiny("residual"), images(), whole, budget="macs=0.6", strategy="uniform")
    assert isinstance(found.task.score_loader, Samples)
    assert len(found.task.score_loader) == 10


def test_too_few_samples_cannot_be_parted() -> None:
    with pytest.raises(ValueError, match="2 samples cannot be parted into those to train on"):
        amc.Classification.split(samples(2))


def test_a_saved_folder_is_read_again_and_reported_on(tmp_path: Path) -> None:
    model = tiny("residual")
    found = amc.search(model, images(), DATA, budget="macs=0.6", strategy="uniform")
    found.save(tmp_path / "run")
    again = amc.load_pruned(model, images(), tmp_path / "run" / "model.safetensors")
    assert torch.equal(again(images()), found.network(images()))
    assert amc.Policy.load(tmp_path / "run" / "policy.json") == found.policy
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["samples"] == {"search": 24, "holdout": 24, "test": 30}
    found.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "amc.load_pruned" in page
    # No command can know a network that was only ever an object.
    assert "amc prune" not in page
    assert "amc trust" not in page


def test_without_test_samples_the_held_out_score_is_what_is_told(tmp_path: Path) -> None:
    data = amc.Classification(samples(40), HELD)
    found = amc.search(tiny("residual"), images(), data, budget="macs=0.6", strategy="uniform")
    found.save(tmp_path)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["searched"]["test"] is None
    assert result["searched"]["holdout"] == pytest.approx(found.score, abs=0.05)
    assert "held-out" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_weights_that_the_search_tuned_are_the_networks() -> None:
    found = amc.search(tiny("residual"), images(), DATA, budget="macs=0.8", strategy="netadapt")
    assert found.result.weights is not None
    state = found.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in found.result.weights.items())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": "unifrom"}, "unknown strategy 'unifrom'; did you mean 'uniform'"),
        ({"budget": "mac=0.5"}, "unknown cost 'mac'; did you mean 'macs'"),
        ({"strategy": "manual"}, r"manual needs ratios, .* give a amc\.rules\.Manual instead"),
        ({"strategy": RandomSearch(3), "episodes": 5}, "give it to RandomSearch"),
    ],
)
def test_mistakes_are_answered(given: dict[str, object], said: str) -> None:
    usual = {"budget": "macs=0.6", "strategy": "uniform"}
    with pytest.raises((LookupError, ValueError), match=said):
        amc.search(tiny("residual"), images(), DATA, **usual | given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_name_is_of_a_class_that_its_room_shows(name: str) -> None:
    module, attribute = STRATEGIES[name].split(":")
    room = __import__(module, fromlist=[attribute])
    assert attribute in room.__all__
    assert callable(getattr(room, attribute).search)
