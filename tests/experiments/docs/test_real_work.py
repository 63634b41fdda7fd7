"""Every piece of code of the page on real work runs as it stands, on small networks."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from experiments.studies.tasks.__main__ import CASES

PAGE = Path(__file__).parents[3] / "docs" / "real-work.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NEEDS = {
    "pitch": "torchcrepe",
    "segmentation": "segmentation_models_pytorch",
    "detection": "torchvision",
}
"""Packages that do not go beside every torch, or that nothing else here needs."""
ON_CLOTHES = ("segmentation", "detection", "super_resolution")


def work_of(code: str) -> str:
    """The module that a piece of code takes its work from."""
    return re.findall(r"experiments.studies.tasks import (\w+)", code)[0]


@pytest.mark.parametrize("code", CODE, ids=work_of)
def test_each_piece_of_real_work_is_searched_small(
    code: str, request: pytest.FixtureRequest
) -> None:
    name = work_of(code)
    if find_spec(NEEDS.get(name, "torch")) is None:
        pytest.skip(f"{NEEDS[name]} is not here; the page says where it is")
    if name in ON_CLOTHES:
        request.getfixturevalue("fashion_mnist")
    names: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), names)
    found = names["found"]
    assert found.costs["macs"] <= found.budgets[0].limit * found.unpruned_costs["macs"]


def test_the_page_has_a_piece_of_code_for_every_case() -> None:
    shown = {work_of(code) for code in CODE}
    assert {case.make.__module__.rpartition(".")[2] for case in CASES.values()} == shown
