"""How many weights a network can lose: `python -m experiments.studies.sparsity`.

An AlexNet-like network on Fashion-MNIST loses its smallest weights, whatever their layer, in three
ways (after Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
NeurIPS 2015):

- iterative: in stages to 90% after a cubic schedule, retrained after each; then further;
- one shot: at once, then retrained for as many epochs as the stages had together;
- not retrained: at once, and measured with the batch norms' statistics measured again.

The dense network is also trained on for as long, at the same rates, so that pruning is not credited
with the extra epochs. Accuracies are those on the test images, which no choice is made by.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from experiments.disk import machine, write_whole
from experiments.statistics import mean_and_interval
from experiments.studies.figures import svg_figure
from experiments.studies.markdown import markdown
from experiments.studies.sparsity.routes import (
    DENSE,
    PRUNED,
    TRAINED_ON,
    Point,
    Study,
    measure,
    parts,
    train_dense,
)

Routes = Mapping[str, Sequence[Mapping[str, float]]]
"""For each route its points, with means and intervals over the seeds."""


def summary(seeds: Sequence[Sequence[Point]]) -> dict[str, list[dict[str, float]]]:
    """For each route, the means over the seeds of all its points, and their 95% intervals.

    What is lost is that against each seed's own dense network.
    """
    dense = [next(p.accuracy for p in points if p.route == DENSE) for points in seeds]
    routes: dict[str, list[dict[str, float]]] = {}
    for route in (DENSE, TRAINED_ON, *PRUNED):
        columns = [[point for point in points if point.route == route] for points in seeds]
        routes[route] = [_mean_point(alike, dense) for alike in zip(*columns, strict=True)]
    return routes


def _mean_point(points: Sequence[Point], dense: Sequence[float]) -> dict[str, float]:
    lost = [whole - point.accuracy for whole, point in zip(dense, points, strict=True)]
    mean, interval = mean_and_interval([point.accuracy for point in points])
    mean_lost, lost_interval = mean_and_interval(lost)
    return {
        "sparsity": float(np.mean([point.sparsity for point in points])),
        "accuracy": mean,
        "interval": interval,
        "lost": mean_lost,
        "lost_interval": lost_interval,
    }


def table(routes: Routes) -> str:
    """The summary as a table in Markdown."""
    lines = [
        [
            route,
            f"{point['sparsity']:.1%}",
            f"{point['accuracy']:.4f} ± {point['interval']:.4f}",
            "" if route == DENSE else _points(point),
        ]
        for route, points in routes.items()
        for point in points
    ]
    return markdown(["route", "weights removed", "test accuracy", "points against dense"], lines)


def _points(point: Mapping[str, float]) -> str:
    return f"{-100 * point['lost']:+.2f} ± {100 * point['lost_interval']:.2f}"


def draw(routes: Routes, path: Path) -> None:
    """Accuracy against that of the dense network, by sparsity, as an SVG."""
    with svg_figure(path, size=(7, 4.2)) as (_, ((axes,),)):
        axes.axhline(0, color="0.3", linewidth=1, label=DENSE)
        on = -100 * routes[TRAINED_ON][0]["lost"]
        axes.axhline(on, color="0.3", linewidth=1, linestyle="--", label=TRAINED_ON)
        for route, look in zip(PRUNED, ("o-", "s--", "^:"), strict=True):
            points = routes[route]
            share = [100 * point["sparsity"] for point in points]
            change = [-100 * point["lost"] for point in points]
            spread = [100 * point["lost_interval"] for point in points]
            axes.errorbar(share, change, yerr=spread, fmt=look, capsize=3, label=route)
        axes.set(
            xlabel="weights removed (%)",
            ylabel="accuracy against dense (points)",
            ylim=(-6, 1),
        )
        axes.legend(loc="lower left")
        axes.grid(alpha=0.3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study, print its table, write its figures and picture."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.sparsity",
        description="Accuracy against sparsity of single weights on an AlexNet-like network.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks (default: 3)")
    parser.add_argument("--jobs", type=int, default=2, help="at once (default: 2)")
    parser.add_argument("--out", default="docs/figures", help="folder (default: docs/figures)")
    chosen = parser.parse_args(arguments)
    write(Study(), range(chosen.seeds), chosen.jobs, Path(chosen.out))
    return 0


def write(study: Study, seeds: Sequence[int], jobs: int, out: Path) -> dict[str, Any]:
    """Measure every seed and write `sparsity.json` and `sparsity.svg`."""
    start = time.perf_counter()
    found = measure_all(study, seeds, jobs)
    routes = summary(list(found.values()))
    data = {
        "routes": routes,
        "study": asdict(study),
        "seeds": {str(seed): list(map(asdict, points)) for seed, points in found.items()},
        "seconds": round(time.perf_counter() - start),
        "machine": machine(),
    }
    print(table(routes))
    write_whole(out / "sparsity.json", json.dumps(data, indent=1) + "\n")
    draw(routes, out / "sparsity.svg")
    return data


def measure_all(study: Study, seeds: Sequence[int], jobs: int) -> dict[int, list[Point]]:
    """All points of every seed, `jobs` processes at once, each on one thread; tells of each."""
    run, start = Parallel(n_jobs=jobs, return_as="generator"), time.perf_counter()
    networks = dict(
        zip(seeds, run(delayed(train_dense)(study, seed) for seed in seeds), strict=True)
    )
    shares = [(seed, part) for part in parts(study) for seed in seeds]
    found = run(delayed(measure)(study, seed, networks[seed], part) for seed, part in shares)
    points: dict[int, list[Point]] = {seed: [] for seed in seeds}
    for (seed, _), some in zip(shares, found, strict=True):
        points[seed] += some
        told = "; ".join(f"{p.route} {p.sparsity:.0%}: {p.accuracy:.4f}" for p in some)
        print(f"{time.perf_counter() - start:.0f} s, seed {seed}, {told}", file=sys.stderr)
    return points


if __name__ == "__main__":
    sys.exit(main())
