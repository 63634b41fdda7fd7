"""The whole way from a trained network to a smaller one, in one call.

The file is not called search, because a module `amc.search` would hide the function of that name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from torch import nn

from amc.costs import COSTS
from amc.costs.latency import (
    LATENCY,
    LatencyTable,
    by_table,
    in_blocks,
    measured_counts,
    usual_counts,
    within_reach,
)
from amc.earlier import Earlier
from amc.export import save_pruned
from amc.granularity import CHANNELS, Granularity, Rounding
from amc.graph import PruningGraph
from amc.history import Outcome
from amc.modules import Inputs, unwrapped
from amc.policy import Budget, Policy
from amc.problem import Problem, SearchResult, Strategy
from amc.pruning import decisions
from amc.strategies import DEFAULT, make_strategy
from amc.tasks import Classification, Samples, Task, placed


@dataclass(frozen=True)
class Pruned:
    """What `search` found.

    Args:
        network: The smaller network, in evaluation mode and not fine-tuned, unless the strategy
            does that itself.
        policy: How much goes from each group of layers.
        score: The task's, on the held-out samples.
        budgets: That it keeps.
        problem: What was searched.
        result: All that the search came to.
        strategy: Short name, or that of the class.
        seed: Of the search.
    """

    network: nn.Module = field(repr=False)
    policy: Policy
    score: float
    budgets: tuple[Budget, ...]
    problem: Problem = field(repr=False)
    result: SearchResult = field(repr=False)
    strategy: str
    seed: int

    @property
    def costs(self) -> dict[str, float]:
        """Each cost of the smaller network by its short name, in its unit."""
        return dict(self.result.best.costs)

    @property
    def unpruned_costs(self) -> dict[str, float]:
        """The same of the network as it came."""
        full = self.problem.graph.full
        return {name: cost(full) for name, cost in self.problem.costs.items()}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All candidates that were evaluated, in order."""
        return self.result.outcomes

    @property
    def unpruned_score(self) -> float:
        """The task's score of the network as it came."""
        return self.problem.unpruned_score()

    @property
    def task(self) -> Task:
        """What was scored, on which data."""
        return self.problem.task

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write a page that shows what was found and how; it needs nothing beside itself."""
        self._experiments("write_report", Path(path))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `policy.json` and `model.safetensors`, which `amc.load_pruned` reads.

        And `report.html` and `result.json`, by which `amc report` compares it.
        """
        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        self.policy.save(where / "policy.json")
        save_pruned(self.network, self.policy, where / "model.safetensors")
        self._experiments("write_result", where)

    def _experiments(self, name: str, path: Path) -> None:
        # The library does not need its command line, unless somebody asks for a page of it.
        getattr(import_module("experiments.search"), name)(self, path)


def search(
    network: nn.Module,
    example_inputs: Inputs,
    task: Task | Samples,
    *,
    budget: str | Budget | Sequence[str | Budget],
    strategy: str | Strategy = DEFAULT,
    episodes: int | None = None,
    seed: int = 0,
    criterion: str = "l1",
    granularity: str | Granularity = CHANNELS,
    exclude: Sequence[str] = (),
    round_to: int | Literal["auto"] = "auto",
    depth: bool = True,
    latency: LatencyTable | str | os.PathLike[str] | None = None,
    runtime: str = "onnxruntime",
    threads: int = 1,
    earlier: Sequence[Outcome] = (),
) -> Pruned:
    """Find how much to prune from each layer of a trained network, and prune it.

    Args:
        network: Trained; put into evaluation mode, and otherwise never changed.
        example_inputs: As `amc.trace` takes them.
        task: What is scored, on which data. Labelled samples alone are taken for a classification,
            of which two parts are held out.
        budget: One such as "macs=0.5", or several, of which all must hold.
        strategy: A key of `amc.strategies.STRATEGIES`, or an object of one's own.
        episodes: Candidates to evaluate, for a strategy by name that lets one choose; None takes
            its own.
        seed: The same one gives the same result on the same machine.
        criterion: Short name of what ranks units (`amc.criteria`).
        granularity: What a unit is: "channel", "element", "2:4", ...
        exclude: Shell patterns of layers to leave whole.
        round_to: Kept counts are multiples of this. "auto" takes whole blocks of 16, 8 or 4
            channels, which most hardware likes, and every count where a budget is out of their
            reach; with a table the counts at the edges of its steps.
        depth: Whole branches may go where the network goes on without: residual blocks, attention.
        latency: Table of how long the network takes where it will run, as `amc profile` writes it,
            for a budget such as "latency=0.5"; of granularity "channel". None measures one on this
            machine where there is such a budget (minutes; it is kept for the next time).
        runtime: Where it is measured then, as `--runtime` takes it, but for commands.
        threads: That the runtime may use.
        earlier: `outcomes` of earlier calls with this network and task, under whatever budgets: the
            search begins with the best of them, and learns from those whose costs are nearest.

    Raises:
        BudgetError: if the smallest reachable network is above a budget.
        GraphError: if the network cannot be traced or has nothing to prune.
        LookupError: if there is no such strategy, cost or criterion.
        ValueError: if an argument is out of its range.
    """
    whole = Classification.split(task, seed) if isinstance(task, Samples) else task
    name, chosen = _choose(strategy, episodes)
    limits, unit = _budgets(budget), Granularity.parse(granularity)
    if round_to != "auto" and not isinstance(round_to, Integral):
        raise ValueError(f"search: round_to is {round_to!r}; give a whole number or 'auto'")
    model = unwrapped(network).eval()
    given = placed(example_inputs, model)
    graph = decisions(model, given, unit, exclude)
    plain = unit.rounding(1 if round_to == "auto" else int(round_to), depth=depth)
    here = partial(_measured_here, model, given, graph.channels, runtime=runtime, threads=threads)
    problem = Problem(
        network,
        example_inputs,
        limits,
        whole,
        criterion=criterion,
        **_legal(latency, limits, graph, plain, here, auto=round_to == "auto"),
        graph=graph,
        granularity=unit,
        exclude=exclude,
        seed=seed,
    ).with_earlier(Earlier(tuple(earlier)))
    result = chosen.search(problem, seed)
    origin = {"strategy": name, "seed": str(seed)}
    policy = problem.policy(result.best.kept, origin, result.criterion)
    return Pruned(
        network=problem.network_of(result).eval(),
        policy=policy,
        score=result.best.score,
        budgets=limits,
        problem=problem,
        result=result,
        strategy=name,
        seed=seed,
    )


def _choose(strategy: str | Strategy, episodes: int | None) -> tuple[str, Strategy]:
    if isinstance(strategy, str):
        return strategy, make_strategy(strategy, episodes)
    if episodes is not None:
        raise ValueError(
            f"search: episodes is {episodes} beside a strategy that is made already; give it to "
            f"{type(strategy).__name__}"
        )
    return type(strategy).__name__, strategy


def _measured_here(
    model: nn.Module,
    example: Inputs,
    graph: PruningGraph,
    rounding: Rounding,
    *,
    runtime: str,
    threads: int,
) -> LatencyTable:
    # The library does not need its clock, unless somebody asks for it.
    clocks = import_module("experiments.latency")
    found: LatencyTable = clocks.measured_here(model, example, graph, rounding, runtime, threads)
    return found


def _legal(
    latency: LatencyTable | str | os.PathLike[str] | None,
    limits: Sequence[Budget],
    graph: PruningGraph,
    rounding: Rounding,
    here: Callable[[Rounding], LatencyTable],
    *,
    auto: bool,
) -> dict[str, Any]:
    """Which counts are legal, and what a latency table adds to the costs.

    Where a budget needs a table and there is none, `here` measures one at these counts.
    """
    limited = LATENCY in [one.cost for one in limits]
    if latency is None and not limited:
        usual = usual_counts(graph, rounding, limits, COSTS) if auto else rounding
        return {"rounding": usual}
    if latency is None and not graph.granularity.cuts:
        raise ValueError(
            "search: a budget of latency is for granularity channel, as zeros are computed like "
            "other weights; give another budget, or leave granularity out"
        )
    if latency is None:
        latency = here(in_blocks(graph, rounding) if auto else rounding)
    table = latency if isinstance(latency, LatencyTable) else LatencyTable.load(latency)
    if auto:
        rounding = measured_counts(table, graph, rounding)
    cost, fast = by_table(table, graph, rounding)
    costs = {**COSTS, LATENCY: cost}
    edges = limited or (auto and within_reach(graph, fast, limits, costs))
    return {"costs": costs, "rounding": fast if edges else rounding}


def _budgets(budget: str | Budget | Sequence[str | Budget]) -> tuple[Budget, ...]:
    given = (budget,) if isinstance(budget, str | Budget) else budget
    return tuple(Budget.parse(one) if isinstance(one, str) else one for one in given)
