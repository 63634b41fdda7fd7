"""The study of accuracy against sparsity, in small."""

import json
from pathlib import Path

import pytest
import torch

from experiments.bench_sparsity import table, write
from experiments.sparsity import Study

SMALL = Study(
    model="resnet8",
    dataset="digits",
    width=0.5,
    dense_epochs=12,
    lr=0.2,
    stages=2,
    stage_epochs=2,
    beyond=(),
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
    assert found["iterative"][1:] == pytest.approx([0.9], abs=0.001)
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
    assert "| iterative | 90.0% |" in table(data)
