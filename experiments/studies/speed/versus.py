"""Ours and the textbook procedure, side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from statistics import median
from typing import Any

import numpy as np
import torch

from amc.devices import fast_type
from amc.graph import Kept
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case
from experiments.studies.speed.episodes import ByTextbook, Episode, medians, ours
from experiments.studies.speed.textbook import Textbook

ERROR = 0.01
"""Of the race, where hopeless candidates are stopped early."""
SEEDS = range(3)
"""Of those searches: how much they see hangs on how they go."""


def versus(case: Case, episodes: int, textbook_episodes: int) -> dict[str, Any]:
    """Time both on the same policies, in turns, and return where the time goes.

    Args:
        case: The network.
        episodes: Of ours.
        textbook_episodes: How many of our policies the textbook evaluates, each after ours has.
    """
    problem = case.problem()
    book = ByTextbook(Textbook.of(problem, case.calibration))
    fast = ours(problem, episodes, between=every(episodes, textbook_episodes, book))
    slow = book.episodes
    race = case.problem(racing=ERROR)
    stopped = [episode for seed in SEEDS for episode in ours(race, episodes, seed)]
    peak = arithmetic(torch.device(case.sizes.device))
    textbook = median(one.seconds for one in slow)
    least = median(2 * problem.costs["macs"](one.kept) * case.sizes.images for one in fast) / peak
    return {
        "speedup": textbook / median(one.seconds for one in fast),
        "speedup_stopping_early": textbook / median(one.seconds for one in stopped),
        "speedup_at_peak": textbook / least,
        "speedup_of_processor_time": median(one.processor for one in slow)
        / median(one.processor for one in fast),
        "peak_flops": peak,
        "seconds_at_peak": least,
        "outside_forward": median(one.outside for one in fast),
        "ours": summary(fast),
        "stopping_early": summary(stopped) | {"error": ERROR, "seen": _seen(case, stopped)},
        "textbook": summary(slow),
        "accuracies": _side_by_side(fast, slow),
    }


def every(episodes: int, wanted: int, book: ByTextbook) -> Callable[[Kept], None]:
    """What follows each of so many episodes: the textbook after `wanted` of them, evenly spread."""
    numbers = count()
    chosen = {*np.linspace(0, episodes - 1, min(wanted, episodes)).round().astype(int).tolist()}

    def follow(kept: Kept) -> None:
        if next(numbers) in chosen:
            book(kept)

    return follow


def _side_by_side(fast: Sequence[Episode], slow: Sequence[Episode]) -> list[list[float]]:
    """Accuracies of the policies that both have evaluated, ours first."""
    ours = {one.kept: one.accuracy for one in fast}
    return [[ours[one.kept], one.accuracy] for one in slow]


def arithmetic(device: torch.device, times: int = 10) -> float:
    """Floating-point operations a second of a product of matrices: what no network exceeds.

    In the type that candidates are measured in there.
    """
    size = 1536 if device.type == "cpu" else 8192
    matrix, seconds = torch.randn(size, size).to(device, fast_type(device)), []
    for _ in range(times):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # which waits for a GPU
        seconds.append(time.perf_counter() - start)
    return float(2 * size**3 / min(seconds))


def _seen(case: Case, episodes: Sequence[Episode]) -> float:
    """Mean part of the images that candidates have seen."""
    return float(np.mean([(one.seen or case.sizes.images) / case.sizes.images for one in episodes]))


def summary(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Medians, and the spread of the whole."""
    seconds = [one.seconds for one in episodes]
    return {
        "episodes": len(episodes),
        "seconds": median(seconds),
        "processor_seconds": median(one.processor for one in episodes),
        "quartiles": [float(part) for part in np.quantile(seconds, (0.25, 0.75))],
        "stages": medians(episodes),
    }


def table(found: Mapping[str, Any]) -> str:
    """What `versus` found, in Markdown."""
    lines, names = [], {"textbook": "textbook", "ours": "ours", "stopping_early": "ours, racing"}
    for side in ("textbook", "ours", "stopping_early"):
        own = found[side]
        for stage, seconds in own["stages"].items():
            lines.append([names[side], stage, f"{seconds:.3f}", f"{seconds / own['seconds']:.1%}"])
        low, high = own["quartiles"]
        whole = f"an episode (median of {own['episodes']}; quartiles {low:.3f} to {high:.3f})"
        lines.append([names[side], whole, f"{own['seconds']:.3f}", ""])
    raced = found["stopping_early"]
    return (
        f"{markdown(['', 'stage', 'seconds', 'share'], lines)}\n\n"
        f"{found['speedup']:.1f} x as fast on all images "
        f"({found['speedup_of_processor_time']:.1f} x by processor time); with hopeless candidates "
        f"stopped early, which saw {raced['seen']:.0%} of the images, "
        f"{found['speedup_stopping_early']:.1f} x. "
        f"The processor's peak, {found['peak_flops'] / 1e9:.0f} GFLOP/s, would allow "
        f"{found['speedup_at_peak']:.1f} x on all images. "
        f"{found['outside_forward']:.1%} of an episode lies outside the forward passes."
    )
