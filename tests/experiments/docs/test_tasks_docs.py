"""What the page on tasks and the README show works as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

DOCS = Path(__file__).parents[3] / "docs"
README = DOCS.parent / "README.md"


def blocks(page: Path) -> list[tuple[str, str]]:
    """The title of each Python block, where it has one, and the code."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r'```python(?: title="(.*?)")?\n(.*?)```', text, re.DOTALL)


def test_inputs_alone_are_enough() -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks(DOCS / "tasks.md")[0][1], "tasks.md", "exec"), names)
    assert 0 < names["found"].score <= 1


def tiny_torchvision() -> ModuleType:
    """What the README asks of torchvision, which does not go beside every PyTorch."""
    package = ModuleType("torchvision")

    def resnet18(weights: str) -> nn.Module:
        assert weights == "DEFAULT"
        layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

    package.models = ModuleType("models")  # type: ignore[attr-defined]
    package.models.resnet18 = resnet18
    return package


def test_the_first_example_of_the_readme_runs_in_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torchvision", tiny_torchvision())
    _, code = blocks(README)[0]
    assert len(code.splitlines()) <= 10
    names: dict[str, Any] = {}
    exec(compile(code.replace("128, 3, 224, 224", "12, 3, 16, 16"), "README.md", "exec"), names)
    found = names["found"]
    assert found.costs["macs"] <= 0.5 * found.unpruned_costs["macs"]
    assert torch.isfinite(found.network(names["photos"])).all()
    assert Path("pruned/report.html").is_file()
