"""What a latency table lets one expect of a search before it begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from amc.costs import COSTS, BudgetError, Costs, Limits
from amc.costs.latency import LATENCY, Latency
from amc.granularity import Rounding
from amc.graph import Kept, PruningGraph
from amc.policy import Budget
from amc.rules import project_all, uniform
from experiments.settings import HARDWARE
from experiments.terminal import milliseconds, percent

NO_GAIN = 0.97
"""Of the unpruned network's latency; what leaves more does not make it faster."""

DRAWN = 20
"""Policies of random ratios that a budget is judged by, beside uniform ones."""

LISTED = 4
"""Kinds of layers whose time is told; further ones are summed up."""

LONGEST = 40
"""Letters of what a kind of layer is called."""


def outlook(
    latency: Latency,
    graph: PruningGraph,
    budgets: Sequence[Budget],
    roundings: tuple[Rounding, Rounding],
    chosen: Rounding,
) -> list[str]:
    """How fast the network can become, what the budgets would make of it, where the time goes.

    Args:
        latency: The plain prediction.
        graph: What is pruned.
        budgets: Of the search.
        roundings: All counts, and the edges of steps alone.
        chosen: The one of these that the search keeps to.
    """
    table, full = latency.table, latency(graph.full)
    smallest = tuple(counts[0] for counts in roundings[1].widths)
    least = latency(smallest) / full
    notes = [
        f"latency on {table.device}: unpruned {milliseconds(full)}, at the least "
        f"{milliseconds(least * full)} ({percent(least)}); predictions are off by "
        f"{percent(table.fit.median)} in the median"
    ]
    limited = any(budget.cost == LATENCY for budget in budgets)
    warning = _warning(latency, graph, budgets, chosen, least)
    notes += filter(None, [warning, _uniform_ratios(latency, graph, budgets, roundings)])
    return [*notes, where(latency, graph, smallest)] if limited or warning else notes


def _warning(
    latency: Latency,
    graph: PruningGraph,
    budgets: Sequence[Budget],
    rounding: Rounding,
    least: float,
) -> str:
    """That the network does not become faster, where that is to be feared; empty elsewhere."""
    if least >= NO_GAIN:
        return "warning: no pruning makes this network faster on that device"
    left = _left(latency, graph, budgets, rounding)
    if not left or left[0] < NO_GAIN:
        return ""
    random = f"of {DRAWN} random ones the best leave {percent(min(left))} of the time"
    if min(left) >= NO_GAIN:
        random = f"nor do {DRAWN} random ones"
    limited = any(budget.cost == LATENCY for budget in budgets)
    ways = (
        "a budget of latency"
        if rounding.widths
        else f"a budget of latency, or --round-to {HARDWARE}"
    )
    better = "a smaller budget" if limited else ways
    return (
        f"warning: uniform ratios at {' '.join(map(str, budgets))} do not make this network faster "
        f"on that device, {random}; give {better}"
    )


def _left(
    latency: Latency, graph: PruningGraph, budgets: Sequence[Budget], rounding: Rounding
) -> list[float]:
    """Of the time, with uniform ratios and then with random ones; empty where none fit."""
    limits = _limits(latency, graph, budgets, rounding)
    if limits is None or not budgets:
        return []
    ratios = np.random.default_rng(0).uniform(0, 1, (DRAWN, len(graph.groups)))
    networks: list[Kept] = [uniform(limits), *project_all(limits, ratios)]
    return [latency(kept) / latency(graph.full) for kept in networks]


def _uniform_ratios(
    latency: Latency,
    graph: PruningGraph,
    budgets: Sequence[Budget],
    roundings: tuple[Rounding, Rounding],
) -> str:
    """What uniform ratios leave of the time; empty where none fit, or without a budget."""
    plain = "whole blocks" if roundings[0].steps else "all counts"
    words, named = [], [*zip(roundings, (plain, "the edges of steps alone"), strict=True)]
    # Over all counts no budget of latency can be bisected.
    for rounding, name in named[any(budget.cost == LATENCY for budget in budgets) :]:
        limits = _limits(latency, graph, budgets, rounding) if budgets else None
        if limits is not None:  # Else refused in a moment, or out of these counts' reach alone.
            left = latency(uniform(limits)) / latency(graph.full)
            words.append(f"{percent(left)} of the time with {name}")
    given = " ".join(map(str, budgets))
    return f"uniform ratios at {given}: {', '.join(words)}" if words else ""


def _limits(
    latency: Latency, graph: PruningGraph, budgets: Sequence[Budget], rounding: Rounding
) -> Limits | None:
    counts = rounding.legal(graph.channels.full)
    costs: Costs = {**COSTS, LATENCY: partial(Latency, table=latency.table, counts=counts)}
    try:
        return Limits.of(graph, budgets, costs, rounding)
    except BudgetError:
        return None


def where(latency: Latency, graph: PruningGraph, smallest: Kept) -> str:
    """Parts of the unpruned network's time by kinds of layers, and what no pruning takes of them.

    Args:
        latency: The plain prediction.
        graph: What is pruned.
        smallest: The narrowest legal counts.
    """
    pieces = latency.table.pieces
    about = {name: pieces[piece].about.partition(",")[0] for name, piece in latency.table.calls}
    names = [about.get(layer.name) for layer in graph.layers]
    full, layers = latency(graph.full), Counter(filter(None, names))
    parts = {name: np.zeros(2) for name in layers}
    seconds = np.stack([latency.per_layer(kept) for kept in (graph.full, smallest)], axis=1)
    for name, both in zip(names, seconds / full, strict=True):
        if name is not None:
            parts[name] += both
    listed = sorted(parts, key=lambda name: -parts[name][0])[:LISTED]
    everything = np.array([1.0, latency(smallest) / full])
    rest = np.maximum(everything - sum(parts[name] for name in listed), 0.0)
    lines = [(f"{layers[name]} x {name}", parts[name]) for name in listed]
    return _align([*lines, ("the rest", rest), ("all", everything)])


def _align(lines: Sequence[tuple[str, NDArray[np.float64]]]) -> str:
    heading = "where the time goes"
    named = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name, _ in lines]
    wide = max(map(len, [heading, *named]))
    told = [f"{heading:<{wide}}  unpruned  at the least"]
    for name, (_, (before, after)) in zip(named, lines, strict=True):
        told.append(f"{name:<{wide}}  {percent(before):>8}  {percent(after):>12}")
    return "\n".join(told)
