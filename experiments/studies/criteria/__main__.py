"""How well each criterion foretells what removing a unit does, against brute force.

    python -m experiments.studies.criteria

Small networks are trained on handwritten digits. Every channel is removed in turn, and a sample of
single weights; the true change of the loss is measured on the calibration images, which criteria
may look at, and on test images. Reported is Spearman's rank correlation of score and true change.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from amc.criteria import CRITERIA, Criterion, by_change
from experiments.disk import machine, ready_folder, write_whole
from experiments.statistics import mean_and_interval
from experiments.studies.criteria.removal import (
    EPOCHS,
    NETWORKS,
    Case,
    Losses,
    channel_changes,
    chosen_weights,
    weight_changes,
)
from experiments.studies.markdown import markdown

Scores = list[NDArray[np.float64]]
"""For each group, or each layer, one number a unit."""

Row = dict[str, Any]
"""One correlation with what it is of."""

COMPARED: dict[str, Criterion] = {
    **CRITERIA,
    "taylor, signed": by_change("first-order change with its sign", torch.neg),
}
"""The criteria, and one that would remove first what the gradient says does harm."""

TITLES = {
    ("channel", "within"): "Channels, within a group",
    ("channel", "whole"): "Channels, over the whole network",
    ("element", "within"): "Single weights, within a layer",
    ("element", "whole"): "Single weights, over the whole network",
}


def correlations(score: Scores, change: Scores) -> dict[str, float]:
    """Rank correlation within groups (their mean) and over all units of the network."""
    within = [_spearman(one, other) for one, other in zip(score, change, strict=True)]
    return {
        "within": float(np.mean([value for value in within if np.isfinite(value)])),
        "whole": _spearman(np.concatenate(score), np.concatenate(change)),
    }


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """NaN where one side is all the same, as the loss is in a layer that nothing depends on."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(stats.spearmanr(one, other).statistic)


def _rows(granularity: str, found: Mapping[str, Scores], sides: Mapping[str, Scores]) -> list[Row]:
    """One row a criterion, a way to look at the true change, and a scope."""
    return [
        {"granularity": granularity, "criterion": name, "change": side, "scope": scope, "rho": rho}
        for name, score in found.items()
        for side, change in sides.items()
        for scope, rho in correlations(score, change).items()
    ]


def _sides(case: Case, losses: Iterable[Losses]) -> dict[str, Scores]:
    """The true changes: on calibration and on held-out images, and the former without sign."""
    base = np.array(case.losses(case.model))
    changes = [np.array(group) - base for group in losses]  # (units, 2)
    return {
        "calibration": [change[:, 0] for change in changes],
        "held-out": [change[:, 1] for change in changes],
        "size": [np.abs(change[:, 0]) for change in changes],
    }


def channel_scores(case: Case) -> dict[str, Scores]:
    """Scores of every criterion; without bn-scale where there is no batch norm."""
    with_norms = any(layer.kind == "norm" for layer in case.graph.layers)
    with torch.no_grad():
        return {
            name: [score.double().numpy() for score in entry.units(case.asked)]
            for name, entry in COMPARED.items()
            if with_norms or name != "bn-scale"
        }


def weight_scores(case: Case, chosen: Mapping[str, Sequence[int]]) -> dict[str, Scores]:
    """Scores of the chosen weights of each layer, of every criterion that can rank weights."""
    found = {}
    for name, entry in COMPARED.items():
        if not isinstance(entry.weights, str):
            with torch.no_grad():
                score = entry.weights(case.asked)
            picked = [score[layer].flatten()[list(at)] for layer, at in chosen.items()]
            found[name] = [scores.double().numpy() for scores in picked]
    return found


def measure(case: Case) -> list[Row]:
    """All correlations of one trained network, at both granularities."""
    chosen = chosen_weights(case)
    channels, weights = _sides(case, channel_changes(case)), weight_changes(case, chosen)
    channels["refit"] = _sides(case, channel_changes(case, refit=True))["calibration"]
    return [
        *_rows("channel", channel_scores(case), channels),
        *_rows("element", weight_scores(case, chosen), _sides(case, weights)),
    ]


def tables(rows: Sequence[Row]) -> str:
    """The rows as tables in Markdown, one for each granularity and scope."""
    return "\n".join(
        f"{title}\n\n{_table([row for row in rows if (row['granularity'], row['scope']) == kind])}"
        for kind, title in TITLES.items()
    )


def _table(rows: Sequence[Row]) -> str:
    networks = list(dict.fromkeys(row["network"] for row in rows))
    sides = list(dict.fromkeys(row["change"] for row in rows))
    heads = ["criterion", *networks, *(f"mean, {side}" for side in sides)]
    lines = []
    for name in dict.fromkeys(row["criterion"] for row in rows):
        own = [row for row in rows if row["criterion"] == name]
        cells = [_cell(own, "calibration", {network}) for network in networks]
        means = [_cell(own, side, set(networks)) for side in sides]
        lines.append([f"`{name}`", *cells, *means])
    return markdown(heads, lines) + "\n"


def _cell(rows: Sequence[Row], side: str, networks: set[str]) -> str:
    """Mean and interval over the seeds of what is first averaged over networks."""
    alike = [row for row in rows if row["change"] == side and row["network"] in networks]
    by_seed = [
        float(np.mean([row["rho"] for row in alike if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in alike})
    ]
    if not by_seed:
        return "refused"
    mean, half = mean_and_interval(by_seed)
    return f"{mean:.2f} ± {half:.2f}" if len(by_seed) > 1 else f"{mean:.2f}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write them beside the raw figures; 0 when done."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.criteria",
        description="How well criteria foretell the true loss.",
    )
    parser.add_argument("--seeds", type=int, default=5, help="networks of each kind (default 5)")
    parser.add_argument("--epochs", type=float, default=EPOCHS, help=f"default {EPOCHS}")
    parser.add_argument("--out", default="runs/criteria", help="folder (default runs/criteria)")
    options = parser.parse_args(words)
    folder, start = ready_folder(options.out), time.perf_counter()
    torch.set_num_threads(1)
    rows = []
    for network in NETWORKS:
        for seed in range(options.seeds):
            case = Case.trained(network, seed, options.epochs)
            rows += [{"network": network, "seed": seed, **row} for row in measure(case)]
            print(f"{network}, seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    made = {**machine(), "seeds": options.seeds, "epochs": options.epochs}
    write_whole(folder / "criteria.json", json.dumps({"made with": made, "rows": rows}, indent=1))
    write_whole(folder / "criteria.md", tables(rows))
    print(tables(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
