"""matplotlib drawings as SVG that stands inside a page and takes its colours and fonts from it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from experiments.report.markers import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 520
"""Pixels; the page scales pictures to the room there is."""

FONT = 12
PHONE_FONT = 16
"""Pixels of a text in a picture: as drawn, and as `report.css` enlarges it on small screens."""

# Stand-ins that the page's style sheet gives a meaning, in light and in dark.
INK = "#0a0b01"
MUTED = "#0a0b02"
GRID = "#0a0b03"
PAPER = "#0a0b04"
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}
_VARIABLES |= {f"#0a0b1{number}": f"--c{number}" for number in range(COLOURS)}

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a name is just that
    "path.simplify": False,
    "font.size": FONT,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 7,
    "ytick.major.pad": 6,
    "axes.labelpad": 12,
}


def series_colour(number: int) -> str:
    """What to give matplotlib for a series' colour."""
    return f"#0a0b1{number}"


def draw(
    key: str, label: str, height: int, left: int, plot: Callable[[Axes], None], top: int = 34
) -> str:
    """A picture as an `<svg>` element.

    Args:
        key: Tells the picture's ids from those of other pictures in the page.
        label: The text alternative.
        height: Pixels in all.
        left: Pixels beside the axes, for the labels there.
        plot: Draws on the axes.
        top: Pixels above the axes.
    """
    from matplotlib.figure import Figure

    with _drawing(key):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        bottom, right = 60, 22
        inside = (WIDTH - left - right, height - top - bottom)
        box = (left / WIDTH, bottom / height, inside[0] / WIDTH, inside[1] / height)
        axes = figure.add_axes(box)
        axes.patch.set_visible(False)
        plot(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return _inline(out.getvalue(), height, label)


@contextmanager
def _drawing(key: str) -> Iterator[None]:
    """matplotlib's own settings and ours, whatever the user's are; restored afterwards."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser draws the text, with fonts of its own.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS | {"svg.hashsalt": key})
        yield


def _inline(document: str, height: int, label: str) -> str:
    """The drawing alone: what a page brings itself, and what could clash with it, goes."""
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<svg[^>]*>", "", body, count=1)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", body)
    body = re.sub(r"font-(size|family): [^;\"]*;? ?| transform=\"rotate\(-?0 [^)]*\)\"", "", body)
    body = re.sub("|".join(_VARIABLES), lambda m: f"var({_VARIABLES[m[0]]})", body)
    body = re.sub(r"\n\s*", "\n", body).strip()
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">\n{body}'
