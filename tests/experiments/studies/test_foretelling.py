"""The tables of the study of what foretells fine-tuning, from figures worked out by hand."""

from __future__ import annotations

import pytest

from experiments.studies.foretelling.tables import looked, tables


def row(policy: int, origin: str, look: float, finals: tuple[float, float]) -> dict[str, object]:
    return {
        "network": "net",
        "budget": "macs=0.5",
        "policy": policy,
        "origin": origin,
        "signals": {"cut: score": {"value": look, "seconds": 2.0}},
        "finals": [{"test": one, "seconds": 30.0} for one in finals],
        "machine": "torch",
    }


ROWS = [
    row(0, "uniform", 0.1, (0.80, 0.82)),
    row(1, "search", 0.5, (0.90, 0.92)),
    row(2, "search", 0.4, (0.92, 0.94)),
    row(3, "search", 0.2, (0.84, 0.82)),
]


def test_a_look_is_told_by_how_it_ranks_and_by_what_choosing_by_it_gains() -> None:
    (cell,) = looked(ROWS, [("net", "macs=0.5"), ("other", "macs=0.5")])
    assert cell.correlation("cut: score") == pytest.approx(0.8)  # two neighbours in another order
    assert cell.uniform == pytest.approx(0.81)
    assert cell.gain("cut: score") == pytest.approx(0.91 - 0.81)
    assert cell.ceiling == pytest.approx(1 - 6 * 0.5 / (4 * 15), abs=0.01)  # one tie
    text = tables([cell])
    assert "| cut: score | 0.80, +0.1000 | 2 s |" in text
    assert "4 policies have 0.8100 to 0.9300" in text


def test_without_figures_it_says_so() -> None:
    assert tables(looked([], [("net", "macs=0.5")])) == "Nothing was measured yet."
