"""What `--from` names: earlier runs, as what a search knows before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from amc.earlier import TRIED, Earlier
from amc.graph import Kept, PruningGraph
from amc.history import Outcome
from amc.problem import Problem
from amc.pruning import decisions
from experiments.disk import run_at
from experiments.runs import RunResult, scored_alike
from experiments.search.policies import fitting
from experiments.search.transfer import suggested
from experiments.settings import (
    NETWORK,
    BenchmarkSettings,
    NetworkSettings,
    ProblemSettings,
    SearchSettings,
    code_in,
    from_flat,
)
from experiments.terminal import count
from experiments.zoo import Workload, load_workload


def knowing_earlier(
    problem: Problem,
    config: SearchSettings | BenchmarkSettings,
    workload: Workload,
    console: Console,
) -> Problem:
    """The problem of a search that begins with what the runs of `--from` found.

    Raises:
        FileNotFoundError, ValueError: if one of them is no finished run, evaluated nothing, or is
            of another network that only code could make.
    """
    outcomes, policies = list[Outcome](), list[Kept]()
    for folder in config.earlier.from_:
        known, suggestions, told = _known(folder, problem, config, workload)
        outcomes += known
        policies += suggestions
        console.print(f"begins with {told}", soft_wrap=True)
    return problem.with_earlier(Earlier(tuple(outcomes), tuple(dict.fromkeys(policies))))


Known = tuple[Sequence[Outcome], Sequence[Kept], str]
"""Evaluations, policies to try, and what they are in words."""


def _known(
    folder: str, problem: Problem, config: SearchSettings | BenchmarkSettings, workload: Workload
) -> Known:
    run = run_at(folder)
    result = RunResult.load(run / "result.json")
    whole = tuple(fitting(result, ()))
    if not whole:
        raise ValueError(
            f"--from {folder}: it evaluated nothing to begin with; name the run of a search"
        )
    at = ",".join(map(str, result.budgets))
    if not _same_network(result, problem.graph):
        suggestions = _carried_over(folder, result, whole, problem)
        names = f"{result.model}, whose layers are compared by their features"
        return (), suggestions, f"ratios that {folder} found at {at} for {names}"
    alike = not result.tuned_steps and result.score == problem.task.score
    if alike and scored_alike(run, config, workload):
        made = [_here(one, problem) for one in whole]
        return made, (), f"{count(len(made), 'evaluation')} of {folder} at {at}"
    best = Earlier(whole).worth_trying(problem.limits)
    why = (
        "it tuned its networks, or its journal does not tell the same weights, samples and "
        "settings, so that its scores say nothing here"
    )
    return (), best, f"the ratios of {folder} at {at}; {why}"


def _same_network(result: RunResult, graph: PruningGraph) -> bool:
    there = [(group.name, group.total) for group in result.groups]
    here = [(group.name, units) for group, units in zip(graph.groups, graph.full, strict=True)]
    return there == here and result.granularity == graph.granularity


def _here(one: Outcome, problem: Problem) -> Outcome:
    """An evaluation with the costs that this problem knows."""
    return replace(one, costs={name: cost(one.kept) for name, cost in problem.costs.items()})


def _carried_over(
    folder: str, result: RunResult, whole: Sequence[Outcome], problem: Problem
) -> list[Kept]:
    """What the best policies of another network suggest for this one."""
    if code := code_in(result.config, NETWORK):
        named = ", ".join(f"--{place} {name}" for place, name in code.items())
        raise ValueError(
            f"--from {folder}: it is of another network, {named}, and a file alone cannot ask for "
            "code to be run; ratios are carried over from networks that have a name here"
        )
    network = from_flat(NetworkSettings, result.config, others=True)
    asked = from_flat(ProblemSettings, result.config, others=True)
    other = load_workload(network, trained=False)  # Shapes are all that is asked of it.
    graph = decisions(other.model, other.example, result.granularity, asked.exclude)
    if not _same_network(result, graph):
        raise ValueError(
            f"--from {folder}: its settings do not tell its network, so that nobody knows which "
            "layers are like these; name a run that `amc search` made"
        )
    known = [budget for budget in result.budgets if budget.cost in result.costs]
    best = sorted(fitting(result, known) or whole, key=lambda one: -one.merit)[:TRIED]
    return suggested(graph, [one.kept for one in best], problem.graph)
