"""How many weights a network can lose: `python -m experiments.bench_sparsity`.

An AlexNet-like network on Fashion-MNIST loses single weights by one magnitude ranking over all
layers (the strategy `global` at granularity `element`), after Han et al., "Learning both Weights
and Connections for Efficient Neural Networks", NeurIPS 2015, in three ways:

- iterative: in stages to 90% after a cubic schedule, fine-tuned after each; then on to 95%;
- one shot: at once, then fine-tuned for as many epochs as the stages had together;
- not retrained: at once, and measured as it is.

The dense network is also trained on for as long as the stages take, so that pruning is not credited
with the extra epochs. Accuracies are those on the test images, which no choice is made by.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from experiments.files import write_whole
from experiments.machine import machine
from experiments.markdown import markdown
from experiments.sparsity import ROUTES, Point, SeedResult, Study, run_seed
from experiments.statistics import mean_and_interval


def summary(results: Sequence[SeedResult]) -> dict[str, Any]:
    """Means over the seeds, as percentages of accuracy lost against each seed's dense network."""
    routes: dict[str, list[dict[str, float]]] = {}
    for route in ROUTES:
        columns = [[p for p in result.points if p.route == route] for result in results]
        routes[route] = [_mean_point(column, results) for column in zip(*columns, strict=True)]
    return {
        "dense": mean_and_interval([result.dense for result in results]),
        "dense_trained_on": mean_and_interval([result.dense_trained_on for result in results]),
        "routes": routes,
    }


def _mean_point(points: Sequence[Point], results: Sequence[SeedResult]) -> dict[str, float]:
    lost = [result.dense - point.accuracy for result, point in zip(results, points, strict=True)]
    mean, interval = mean_and_interval([point.accuracy for point in points])
    mean_lost, lost_interval = mean_and_interval(lost)
    return {
        "sparsity": float(np.mean([point.sparsity for point in points])),
        "accuracy": mean,
        "interval": interval,
        "lost": mean_lost,
        "lost_interval": lost_interval,
    }


def table(data: Mapping[str, Any]) -> str:
    """The summary as a table in Markdown."""
    dense, on = data["dense"], data["dense_trained_on"]
    told = (
        f"dense: {dense[0]:.4f} ± {dense[1]:.4f}; trained on as long as the stages: "
        f"{on[0]:.4f} ± {on[1]:.4f}"
    )
    lines = [
        [
            route,
            f"{p['sparsity']:.1%}",
            f"{p['accuracy']:.4f} ± {p['interval']:.4f}",
            f"{100 * p['lost']:+.2f} ± {100 * p['lost_interval']:.2f}",
        ]
        for route, points in data["routes"].items()
        for p in points
    ]
    heads = ["route", "weights removed", "test accuracy", "points below dense"]
    return f"{told}\n\n{markdown(heads, lines)}"


def draw(data: Mapping[str, Any], path: Path) -> None:
    """Accuracy lost against sparsity, as an SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # Text as text, and no time stamp: the same figures give the same file.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "amc"}):
        figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
        for (route, points), look in zip(data["routes"].items(), ("o-", "s--", "^:"), strict=True):
            share = [100 * p["sparsity"] for p in points]
            change = [-100 * p["lost"] for p in points]
            spread = [100 * p["lost_interval"] for p in points]
            axes.errorbar(share, change, yerr=spread, fmt=look, capsize=3, label=route)
        axes.axhline(0, color="0.5", linewidth=1)
        axes.set(
            xlabel="weights removed (%)",
            ylabel="accuracy against dense (points)",
            ylim=(-6, 1),
        )
        axes.legend(loc="lower left")
        axes.grid(alpha=0.3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study, print its table, write its figures and picture."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench_sparsity",
        description="Accuracy against sparsity of single weights on an AlexNet-like network.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks (default: 3)")
    parser.add_argument("--jobs", type=int, default=2, help="seeds side by side (default: 2)")
    parser.add_argument("--out", default="docs/figures", help="folder (default: docs/figures)")
    chosen = parser.parse_args(arguments)
    write(Study(), range(chosen.seeds), chosen.jobs, Path(chosen.out))
    return 0


def write(study: Study, seeds: Sequence[int], jobs: int, out: Path) -> dict[str, Any]:
    """Run every seed and write `sparsity.json` and `sparsity.svg`."""
    results = Parallel(n_jobs=jobs)(delayed(run_seed)(study, seed) for seed in seeds)
    data = {
        **summary(results),
        "study": asdict(study),
        "seeds": [asdict(result) for result in results],
        "machine": machine(),
    }
    print(table(data))
    write_whole(out / "sparsity.json", json.dumps(data, indent=1) + "\n")
    draw(data, out / "sparsity.svg")
    return data


if __name__ == "__main__":
    sys.exit(main())
