"""Ratios near others."""

from __future__ import annotations

import numpy as np

from amc.rules import Ratios

WIDTHS = (0.03, 0.1, 0.25)
"""Of the normal noise on a policy's ratios; one of them is drawn for each."""

SHARES = (0.15, 0.5, 1.0)
"""Parts of the groups that are changed; one of them is drawn for each policy."""


def around(centres: Ratios, random: np.random.Generator, count: int) -> Ratios:
    """(count, groups) ratios in [0, 1] around others.

    Args:
        centres: (groups,) or (count, groups) ratios.
        random: Of all draws.
        count: Of the policies.
    """
    shape = (count, centres.shape[-1])
    width = random.choice(WIDTHS, (count, 1))
    changed = random.random(shape) < random.choice(SHARES, (count, 1))
    noise = random.normal(size=shape) * width * changed
    near: Ratios = np.clip(centres + noise, 0.0, 1.0)
    return near
