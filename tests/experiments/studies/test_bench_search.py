"""The benchmark of a search's speed, on a network that is searched in milliseconds."""

import json

import pytest
import torch

from experiments.settings import NetworkSettings
from experiments.studies.speed import __main__ as bench_search
from experiments.studies.speed.cases import NETWORKS, Case, Sizes
from experiments.studies.speed.gains import WHOLE, without
from experiments.studies.speed.policies import random_policies

SMALL = ["--images", "60", "--calibration", "60", "--policies", "6", "--searches", "3"]
SMALL += ["--episodes", "2", "--textbook-episodes", "2"]


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", NetworkSettings("resnet8", "digits", 0.5))
        yield


@pytest.fixture(scope="module")
def figures(tiny, tmp_path_factory):
    """Four parts of one network, in two goes."""
    file = tmp_path_factory.mktemp("bench") / "search.json"
    for parts in ("right,racing", "speed,gains"):
        words = ["--networks", "tiny", "--parts", parts, "--json", str(file), *SMALL]
        assert bench_search.main(words) == 0
    return json.loads(file.read_text(encoding="utf-8"))


def test_what_the_file_had_of_other_parts_stays(figures):
    assert {"speedup", "outside_forward", "right", "racing"} <= figures["tiny"].keys()


def test_the_stages_of_an_episode_add_up_and_none_is_missing(figures):
    own = figures["tiny"]["ours"]
    names = {"forward passes", "refit", "ranking and cut", "bounding actions", "agent's updates"}
    assert own["stages"].keys() == {*names, "proposed rollouts", "rollout"}
    assert all(seconds > 0 for seconds in own["stages"].values())
    assert 0 < figures["tiny"]["outside_forward"] < 1


def test_both_sides_evaluate_the_same_policies(figures):
    sides = figures["tiny"]["accuracies"]
    assert len(sides) == figures["tiny"]["textbook"]["episodes"] == 2
    # The same images, refit on other points.
    assert all(abs(ours - theirs) < 0.2 for ours, theirs in sides)


def test_the_fast_path_is_the_float32_path(figures):
    assert figures["tiny"]["right"]["largest_difference"] <= 1 / 60 + 1e-9


def test_with_a_part_left_out_an_evaluation_finds_the_same():
    case = Case.of("tiny", Sizes(images=60, calibration=60))
    problem = case.problem()
    ways = without(problem, case.calibration)
    (kept,) = random_policies(problem, 1, seed=0)
    with torch.no_grad():
        found = {name: evaluate(kept) for name, evaluate in ways.items()}
    # In another order of summation an image that is nearly a draw may be decided otherwise.
    assert all((hits != found[WHOLE]).sum() <= 1 for hits in found.values())


def test_the_whole_is_the_measure_of_each_part(figures):
    gains = figures["tiny"]["gains"]
    assert gains[WHOLE]["ratio"] == 1
    assert len(gains) > 9
    assert all(row["seconds"] > 0 for row in gains.values())


def test_the_page_has_all_tables(figures):
    page = bench_search.page(figures)
    titles = [part.title for part in bench_search.PARTS.values() if part.key in figures["tiny"]]
    assert [line for line in page.splitlines() if line.endswith(":")] == [f"{t}:" for t in titles]
    assert page.startswith("### tiny")
