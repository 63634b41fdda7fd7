"""The study of accuracy against sparsity, in small."""

import json
from pathlib import Path

import pytest
import torch

from experiments.studies.sparsity.__main__ import summary, table, write
from experiments.studies.sparsity.routes import DENSE, PRUNED, TRAINED_ON, Point, Study

SMALL = Study(
    model="resnet8",
    dataset="digits",
    width=0.5,
    dense_epochs=8,
    lr=0.2,
    rate=0.1,
    flip=False,
    stages=2,
    epochs=4,
    last=0.5,
    beyond=(0.95,),
    beyond_epochs=2,
    retrained=(0.8,),
    bare=(0.5, 0.9),
)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    threads, out = torch.get_num_threads(), tmp_path_factory.mktemp("figures")
    data = write(SMALL, [0], 1, out)
    torch.set_num_threads(threads)
    return data, out


def test_every_route_has_its_points_at_the_sparsity_asked_for(figures) -> None:
    routes = figures[0]["routes"]
    found = {route: [p["sparsity"] for p in points] for route, points in routes.items()}
    assert list(found) == [DENSE, TRAINED_ON, *PRUNED]
    assert found[DENSE] == found[TRAINED_ON] == [0]
    assert found["iterative"][1:] == pytest.approx([0.9, 0.95], abs=0.001)
    assert found["one shot"] == pytest.approx([0.8], abs=0.001)
    assert found["not retrained"] == pytest.approx([0.5, 0.9], abs=0.001)
    assert found["iterative"] == sorted(found["iterative"])


def test_retraining_gets_accuracy_back(figures) -> None:
    routes = figures[0]["routes"]
    assert routes["iterative"][1]["lost"] < routes["not retrained"][1]["lost"] - 0.1


def test_the_figures_and_the_picture_are_written(figures) -> None:
    data, out = figures
    stored = json.loads((out / "sparsity.json").read_text(encoding="utf-8"))
    assert stored["routes"] == data["routes"]
    assert stored["machine"]["torch"] == torch.__version__
    picture = (out / "sparsity.svg").read_text(encoding="utf-8")
    assert "weights removed (%)" in picture
    assert all(f">{route}<" in picture for route in stored["routes"])


def test_what_is_lost_is_told_against_the_seeds_own_dense_network() -> None:
    seeds = [
        [Point(DENSE, 0.0, dense), Point(TRAINED_ON, 0.0, dense), Point("iterative", 0.9, pruned)]
        for dense, pruned in [(0.90, 0.89), (0.80, 0.79)]
    ]
    routes = summary(seeds)
    (point,) = routes["iterative"]
    assert point["accuracy"] == pytest.approx(0.84)
    assert point["lost"] == pytest.approx(0.01)
    assert point["lost_interval"] == pytest.approx(0)
    assert point["interval"] > 0.5  # Student's t for two seeds is 12.7.
    assert "| iterative | 90.0% | 0.8400 ± 0.6353 | -1.00 ± 0.00 |" in table(routes)
