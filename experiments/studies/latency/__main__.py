"""How far a latency table is to be trusted: `python -m experiments.studies.latency`.

Each network is profiled for onnxruntime as `amc profile` does it, and random policies are drawn: a
level for the network, and below it a ratio for every group. There are three families: any kept
counts, plain multiples of 8 as `--round-to 8` allows them, which needs no table, and counts at the
edges of steps alone, as a latency budget allows them. Every policy is applied: the network is cut,
its batch norms are folded, onnxruntime is seen to compute what PyTorch does, and it is timed whole.

A machine that others share is slower at some minutes, and a table cannot know which it will meet.
So the question is asked twice. How far is the table off where its programs and the tested networks
take turns, all at the same pace? And how far is the table off that was made minutes before, as
users have it? The bars are for both. The noise floor is the difference between two measurements of
one network, and the rank correlation of the two: networks that take the same time have no order. So
many multiples of 8 do that ranks of that family are shown and not judged.

The second table has what the edges of steps save: uniform ratios at budgets of MACs, rounded to any
count, to multiples of 8 and to the edges.

Timings want a machine that does nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from amc.costs import COSTS, Limits, Macs
from amc.costs.latency import Device, Latency, LatencyTable, fast_counts
from amc.granularity import Rounding
from amc.graph import Kept, PruningGraph
from amc.policy import Budget
from amc.rules import uniform
from experiments.disk import machine, write_whole
from experiments.latency import clock
from experiments.latency.profiling import (
    WHOLE,
    Answer,
    Plan,
    Timings,
    judge,
    measure_here,
    model_at,
    payload,
    plan_for,
    smaller_network,
)
from experiments.latency.profiling import table as table_of
from experiments.settings import NetworkSettings, ProfileSettings
from experiments.studies.figures import svg_figure
from experiments.studies.latency.bars import BARS, missed
from experiments.studies.latency.policies import random_policies
from experiments.studies.markdown import markdown
from experiments.terminal import Reporter, duration, percent
from experiments.zoo import Workload, load_workload

NETWORKS = (("resnet20", 1.0), ("mobilenet-v1", 0.5))
BUDGETS = (0.75, 0.5, 0.25)
"""Of MACs, in the second table."""

RUNTIME, THREADS = "onnxruntime", 1
IN_TURNS, BEFORE = "in turns", "before"
UNPRUNED, ANY, EDGES = "unpruned", "any counts", "edges of steps"
MULTIPLE = 8
"""Of channels: what one rounds to who has no table."""

MULTIPLES = f"multiples of {MULTIPLE}"
FAMILIES = {ANY: "o", MULTIPLES: "s", EDGES: "^"}
"""With their marks in the picture."""

RANKED = (ANY, EDGES)
"""Families whose rank correlation is judged: what searches with a table choose from."""


@dataclass(frozen=True)
class Tested:
    """One network that was predicted and measured.

    Args:
        family: Where its counts come from.
        budget: Of MACs, where uniform ratios were brought to one; 0 for a random policy.
        kept: Units that stay, per group.
        macs: Fraction of the unpruned network's.
        predicted: Seconds by the table that was measured in turns with this network.
        earlier: Seconds by the table that was measured before.
        measured: Seconds, the mean of both measurements.
        twice: Both.
        typical: The median of all single runs.
    """

    family: str
    budget: float
    kept: Kept
    macs: float
    predicted: float
    earlier: float
    measured: float
    twice: tuple[float, float]
    typical: float


def policies_to_test(
    graph: PruningGraph, table: LatencyTable, number: int, seed: int
) -> list[tuple[str, float, Kept]]:
    """The family, the budget and the kept counts of every network that is tested."""
    plain = Rounding()
    edges = fast_counts(graph, Latency(graph, table), plain.legal(graph.full))
    roundings = (plain, Rounding(MULTIPLE), replace(plain, widths=edges))
    found: list[tuple[str, float, Kept]] = [(UNPRUNED, 0.0, graph.full)]
    for family, rounding in zip(FAMILIES, roundings, strict=True):
        drawn = random_policies(graph, rounding, number, seed)
        found += [(family, 0.0, kept) for kept in drawn]
        for budget in BUDGETS:
            limits = Limits.of(graph, [Budget("macs", budget)], COSTS, rounding)
            found.append((family, budget, uniform(limits)))
    return found


def in_turns(
    plan: Plan, networks: Sequence[Kept], workload: Workload, console: Console
) -> tuple[Answer, Timings]:
    """The programs of a plan, and networks that are really cut, twice each, all in turns.

    Returns:
        The plan's answer, and the times of "0", "0 again", "1" and so on.
    """
    programs, payloads = plan.programs(), {}
    for number, kept in enumerate(networks):
        network = smaller_network(workload.model, plan.template.graph, kept)
        model = model_at(plan.template, network, kept, workload.sample)
        payloads[f"{number}"] = payloads[f"{number} again"] = model.SerializeToString()

    def ready(name: str) -> clock.Run:
        own = payloads[name] if name in payloads else payload(programs[name](), RUNTIME)
        return clock.load(RUNTIME, own, THREADS)

    names, start = [*programs, *payloads], time.perf_counter()
    with Reporter(IN_TURNS, len(names), console) as reporter:
        found, unsteady = clock.measure(
            *(names, ready, WHOLE, lambda done: reporter.update(done, "programs timed")),
            plan.often(programs),
        )
    device = Device(**clock.device(RUNTIME, THREADS), **plan.fixed)
    answer = Answer(
        device, {name: found[name] for name in programs}, unsteady, time.perf_counter() - start
    )
    return answer, {name: found[name] for name in payloads}


def test_policies(
    graph: PruningGraph,
    networks: Sequence[tuple[str, float, Kept]],
    tables: tuple[LatencyTable, LatencyTable],
    times: Timings,
) -> list[Tested]:
    """What came out for each network; the table measured with it first, the earlier one second."""
    (now, earlier), macs = (Latency(graph, table) for table in tables), Macs(graph)
    found = []
    for number, (family, budget, kept) in enumerate(networks):
        one, other = times[f"{number}"], times[f"{number} again"]
        twice = (one["seconds"], other["seconds"])
        found.append(
            Tested(
                family,
                budget,
                kept,
                macs(kept) / macs(graph.full),
                now(kept),
                earlier(kept),
                sum(twice) / 2,
                twice,
                (one["typical"] + other["typical"]) / 2,
            )
        )
    return found


def table_for(plan: Plan, name: str, kept: Path | None, console: Console) -> LatencyTable:
    """The table of a network, from a folder of tables if it is there."""
    path = kept and kept / f"{name}.json"
    if path and path.is_file():
        return LatencyTable.load(path)
    table = table_of(plan, measure_here(plan, RUNTIME, THREADS, console), name)
    if path:
        write_whole(path, table.to_json())
    return table


def study(
    name: str, width: float, number: int, seed: int, kept: Path | None, console: Console
) -> dict[str, Any]:
    """Profile one network, and test the table."""
    workload = load_workload(NetworkSettings(model=name, width=width))
    start = time.perf_counter()
    plan = plan_for(ProfileSettings(NetworkSettings(name, width=width), round_to=1))
    prepared = time.perf_counter() - start
    earlier, graph = table_for(plan, name, kept, console), plan.template.graph
    networks = policies_to_test(graph, earlier, number, seed)
    answer, times = in_turns(plan, [kept for _, _, kept in networks], workload, console)
    table = table_of(plan, answer, name)
    results = test_policies(graph, networks, (table, earlier), times)
    return {
        "network": name,
        "width": width,
        "device": asdict(table.device),
        "unpruned": results[0].measured,
        "seconds_to_prepare": prepared,
        "seconds_to_measure": earlier.settings["took"],
        "programs": earlier.settings["programs"],
        "unsteady": {IN_TURNS: table.settings["unsteady"], BEFORE: earlier.settings["unsteady"]},
        "correction": asdict(table.correction),
        "fit": asdict(table.fit),
        "families": {family: _judge_family(results, family, "predicted") for family in FAMILIES},
        BEFORE: {family: _judge_family(results, family, "earlier") for family in FAMILIES},
        "tested": [asdict(result) for result in results],
    }


def _judge_family(results: Iterable[Tested], family: str, by: str) -> dict[str, float]:
    """How predictions of a family's random policies meet what was measured."""
    some = [item for item in results if item.family == family and not item.budget]
    predicted = np.array([getattr(item, by) for item in some])
    measured = np.array([item.measured for item in some])
    one, other = np.array([item.twice for item in some]).T
    fit = judge(predicted, measured, float(np.median(np.abs(one / other - 1))))
    return {**asdict(fit), "repeat": judge(one, other, fit.noise).spearman}


def accuracy_table(studies: Sequence[Mapping[str, Any]]) -> str:
    """Errors against the bars, in Markdown."""
    heads = [
        "network",
        "policies",
        "median error",
        "90th percentile",
        "Spearman",
        "noise",
        "measured twice: Spearman",
        "table made before",
        "profile",
    ]
    lines = []
    for study in studies:
        took = duration(study["seconds_to_prepare"] + study["seconds_to_measure"])
        for family, fit in study["families"].items():
            numbers = [percent(fit["median"]), percent(fit["p90"]), f"{fit['spearman']:.3f}"]
            policies, before = f"{fit['networks']}, {family}", study[BEFORE][family]
            off = f"{percent(before['median'])}, {percent(before['p90'])}, {before['spearman']:.3f}"
            floor = [percent(fit["noise"]), f"{fit['repeat']:.3f}"]
            lines.append([study["network"], policies, *numbers, *floor, off, took])
    return markdown(heads, lines)


def saving_table(studies: Sequence[Mapping[str, Any]]) -> str:
    """What the edges of steps save at uniform ratios, in Markdown."""
    families = studies[0]["families"]
    heads = ["network", "budget", *(f"{one}: {w}" for one in families for w in ("MACs", "time"))]
    lines = []
    for study in studies:
        told = {(item["family"], item["budget"]): item for item in study["tested"]}
        for budget in BUDGETS:
            line = [study["network"], f"macs={budget:g}"]
            for item in (told[family, budget] for family in families):
                left = item["measured"] / study["unpruned"]
                line += [percent(item["macs"]), f"{1e3 * item['measured']:.3f} ms, {percent(left)}"]
            lines.append(line)
    return markdown(heads, lines)


def misses(studies: Sequence[Mapping[str, Any]]) -> list[str]:
    """In words, each bar that is not met, and by which policies and which table."""
    return [
        f"{study['network']}, {family}, table made {when}: {words}"
        for study in studies
        for when, fits in ((IN_TURNS, study["families"]), (BEFORE, study[BEFORE]))
        for family, fit in fits.items()
        for bar, words in missed(fit).items()
        if bar != "spearman" or family in RANKED
    ]


def draw(studies: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Predicted against measured, as an SVG."""
    with svg_figure(path, 1, len(studies), size=(9, 4.4)) as (_, (plots,)):
        for axes, study in zip(plots, studies, strict=True):
            _scatter(axes, study)


def _scatter(axes: Any, study: Mapping[str, Any]) -> None:
    random = [item for item in study["tested"] if not item["budget"]]
    ends = [1e3 * item[key] for item in random for key in ("measured", "predicted")]
    low, high = 0.93 * min(ends), 1.07 * max(ends)
    axes.plot([low, high], [low, high], color="0.5", linewidth=1)
    axes.fill_between([low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color="0.92")
    for family in study["families"]:
        look, some = FAMILIES[family], [item for item in random if item["family"] == family]
        x, y = ([1e3 * item[key] for item in some] for key in ("measured", "predicted"))
        axes.plot(x, y, look, markersize=5, alpha=0.8, label=family)
    unpruned = 1e3 * study["unpruned"]
    axes.axvline(unpruned, color="0.5", linestyle=":", linewidth=1)
    axes.set(
        title=study["network"],
        xlabel="measured (ms)",
        ylabel="predicted (ms)",
        xlim=(low, high),
        ylim=(low, high),
    )
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study, print its tables, write its figures and picture; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.latency",
        description="Predicted against measured latency of really smaller networks.",
    )
    parser.add_argument("--policies", type=int, default=30, help="of each family (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the policies (default: 1)")
    parser.add_argument("--tables", help="folder of tables to take, or to keep new ones in")
    parser.add_argument("--out", default="docs/figures", help="folder (default: docs/figures)")
    chosen = parser.parse_args(arguments)
    console = Console(markup=False, highlight=False)
    kept = Path(chosen.tables) if chosen.tables else None
    studies = [study(*network, chosen.policies, chosen.seed, kept, console) for network in NETWORKS]
    data = {"bars": BARS, "seed": chosen.seed, "studies": studies, "machine": machine()}
    print(f"{accuracy_table(studies)}\n\n{saving_table(studies)}")
    out = Path(chosen.out)
    write_whole(out / "latency.json", json.dumps(data, indent=1) + "\n")
    draw(studies, out / "latency.svg")
    wrong = misses(studies)
    print("\n".join(["", "bars missed:", *wrong] if wrong else ["", "all bars are met"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
