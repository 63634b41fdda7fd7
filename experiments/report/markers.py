"""The shapes and colours of series, for pictures and for the legends beside them."""

from __future__ import annotations

COLOURS = 6
"""That `report.css` names --c0, --c1, ...: Okabe and Ito's, without black and yellow."""

MARKERS = {
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "s": "M-4-4h8v8h-8z",
    "^": "M0-5L5 4H-5z",
    "D": "M0-5.2L5.2 0L0 5.2L-5.2 0z",
    "v": "M0 5L5-4H-5z",
    "P": "M-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",
}
"""matplotlib's markers, and the same as SVG paths around the origin."""

STAR = "M0-6L1.4-1.9H5.7L2.2.7L3.5 4.9L0 2.3L-3.5 4.9L-2.2.7L-5.7-1.9H-1.4z"
DOT = "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z"
LINE = "M-6 0h12"
