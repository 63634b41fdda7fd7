"""Colours that everybody can tell apart, in light and in dark."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.report import page

Array = NDArray[np.float64]

CSS = (Path(page.__file__).parent / "report.css").read_text(encoding="utf-8")

# Linear RGB as people see it who miss one kind of cone (Machado et al., "A Physiologically-based
# Model for Simulation of Color Vision Deficiency", IEEE TVCG 2009, severity 1).
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
LEAST = 14
"""Of the distance of two colours in CIELAB; about 2 can just be seen side by side."""


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def linear(colour: str) -> Array:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light: Array) -> Array:
    x, y, z = np.cbrt(np.maximum(1e-4, XYZ @ light / np.array([0.9505, 1, 1.0888])))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def series(palette: dict[str, str]) -> list[str]:
    return [palette[f"c{number}"] for number in range(6)]


@pytest.mark.parametrize("name", ["light", "dark", "print"])
@pytest.mark.parametrize("eyes", EYES)
def test_series_differ_for_every_kind_of_eyes(name: str, eyes: str) -> None:
    seen = [lab(np.clip(EYES[eyes] @ linear(c), 0, 1)) for c in series(palettes()[name])]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= LEAST


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_marks_and_words_stand_out_from_the_paper(name: str) -> None:
    palette = palettes()[name]
    assert min(contrast(colour, palette["paper"]) for colour in series(palette)) >= 3
    for ground in ("paper", "tint"):
        assert min(contrast(palette[ink], palette[ground]) for ink in ("ink", "muted")) >= 4.5
