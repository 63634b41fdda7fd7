"""Who is ahead after equal fine-tuning at equal measured time, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.statistics import Mean, difference, half_difference
from experiments.studies.markdown import markdown
from experiments.studies.peers.plan import Plan
from experiments.terminal import duration, percent

OURS = "residual-gp"
OWN = (OURS, "uniform")
"""Contenders that are ours; the others are other packages'."""

Line = Mapping[str, Any]
Found = Mapping[tuple[Any, ...], Line]


def table(found: Found, plan: Plan, about: Mapping[str, str]) -> str:
    """One row for each contender in each cell.

    Args:
        found: Rows of the file, by network, target, contender and seed.
        plan: Which of them are shown.
        about: What the contenders are.
    """
    heads = (
        *("network", "of the time", "contender", "measured", "MACs", "after the cut"),
        *("tuned", "ours is ahead by", "seconds", "seeds"),
    )
    rows = [
        _row(found, plan, network, target, name, about[name])
        for network in plan.networks
        for target in plan.targets
        for name in plan.contenders
        if _lines(found, plan, network, target, name)
    ]
    return markdown(heads, rows)


def _lines(found: Found, plan: Plan, *cell: Any) -> list[Line]:
    keys = ((*cell, seed) for seed in range(plan.seeds))
    return [found[key] for key in keys if key in found]


def _row(
    found: Found, plan: Plan, network: str, target: float, name: str, about: str
) -> tuple[str, ...]:
    lines = _lines(found, plan, network, target, name)
    note = "".join(f", {one}" for one in {line["note"]: 0 for line in lines if line.get("note")})
    where = (network, f"{target:.0%}", f"{name} ({about}{note})")
    if lines[0]["error"]:
        return *where, lines[0]["error"].removeprefix("TooSlowError: "), *[""] * 6
    ours = _tuned(_lines(found, plan, network, target, OURS))
    own = _tuned(lines)
    means = {what: _mean(lines, what) for what in ("left", "macs", "cut", "seconds")}
    return (
        *(*where, percent(means["left"]), percent(means["macs"]), f"{means['cut']:.4f}"),
        str(Mean.of(own)),
        "" if name == OURS or not ours else difference(ours, own),
        *(duration(means["seconds"]), f"{len(own)}"),
    )


def _tuned(lines: Sequence[Line]) -> list[float]:
    return [line["tuned"] for line in lines if not line["error"]]


def _mean(lines: Sequence[Line], what: str) -> float:
    return float(np.mean([line[what] for line in lines if not line["error"]]))


def verdict(found: Found, plan: Plan) -> str:
    """In how many cells ours is ahead of every other, and of each beyond the interval."""
    ahead, beyond, cells, alone, behind = 0, 0, 0, 0, []
    for network in plan.networks:
        for target in plan.targets:
            ours = _tuned(_lines(found, plan, network, target, OURS))
            others = {
                name: own
                for name in plan.contenders
                if name not in OWN and (own := _tuned(_lines(found, plan, network, target, name)))
            }
            if not ours or not others:
                alone += bool(ours and _refused(found, plan, network, target))
                continue
            cells += 1
            gaps = {name: np.mean(ours) - np.mean(own) for name, own in others.items()}
            halves = {name: half_difference(ours, own) for name, own in others.items()}
            ahead += all(gap > 0 for gap in gaps.values())
            beyond += all(gap > halves[name] for name, gap in gaps.items())
            behind += [
                f"{name} in {network} at {target:.0%} by {-gap:.4f}"
                for name, gap in gaps.items()
                if gap <= 0
            ]
    text = (
        f"Ours ({OURS}) is ahead of every other package in {ahead} of {cells} cells, beyond the "
        f"95% interval of every difference in {beyond}."
    )
    if alone:
        text += f" In {alone} more none of them is fast enough."
    return f"{text} It is not ahead of {'; '.join(behind)}." if behind else text


def _refused(found: Found, plan: Plan, network: str, target: float) -> bool:
    """Whether other packages were tried here, and none gave a network."""
    return any(
        _lines(found, plan, network, target, name) for name in plan.contenders if name not in OWN
    )
