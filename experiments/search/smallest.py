"""The cheapest network whose score holds.

AMC calls it accuracy-guaranteed compression (He et al., 2018, 3.4) and lets a reward weigh one
against the other. Here a search for all budgets gives a front; its networks are fine-tuned, halving
what is left of the front each time, and judged on held-out samples that the search has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from amc.costs import COSTS
from amc.history import Outcome
from amc.journal import Named
from amc.parsing import look_up
from amc.problem import Problem
from experiments.latency import LATENCY, profiled
from experiments.runs import (
    Interrupted,
    Proof,
    RunResult,
    begin,
    failure_kept,
    is_finished,
    resumable,
    run_journal,
)
from experiments.search.bench import Bench
from experiments.search.judging import POINTS, Judge, unseen
from experiments.search.one_run import chosen_strategy, finish, scores_of, told_again
from experiments.search.problems import prepare
from experiments.search.searching import run_strategy
from experiments.search.tuning import check_tuning
from experiments.settings import GoalSettings, SearchSettings
from experiments.terminal import percent, scored
from experiments.zoo import load_workload


def smallest(config: SearchSettings, console: Console) -> RunResult:
    """Search all budgets, and leave the run folder of the cheapest network that holds.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    look_up(dict.fromkeys((*COSTS, LATENCY)), config.goal.cost, "--cost")
    asked = config.of_all_budgets
    strategy = chosen_strategy(asked)
    workload = load_workload(config.network, device=config.compute.device)
    samples = unseen(config, workload.task)
    asked = profiled(asked, workload, console)
    config = replace(config, cut=asked.cut)
    with run_journal(config, workload) as journal:
        if is_finished(journal):
            return told_again(config, console)
        check_tuning(config, workload)
        problem, seconds = prepare(asked, workload, console)
        _check_cost(problem, config.goal)
        judge = Judge.of(config.goal, workload, samples)
        begin(journal, config, workload, console)
        with failure_kept(config.output.out):
            made = run_strategy(asked, strategy, problem, journal, console, clocked=False)
            made = replace(made, prepare_seconds=seconds, budgets=config.problem.budget)
            bench = Bench(config, workload, problem, made, journal, console)
            chosen, proof = cheapest(bench, judge)
            unpruned = scores_of(workload.model, problem.graph, workload.task)
            budget = ",".join(map(str, config.problem.budget))
            made = bench.found(chosen, goal=config.goal.flag, budget=budget)
            tuning = noted(bench, chosen)
            return finish(config, workload, made, unpruned, journal, console, tuning, proof)


def _check_cost(problem: Problem, goal: GoalSettings) -> None:
    """Refuse a cost that pruning does not change.

    Raises:
        ValueError: if it is one.
    """
    cost, limits = problem.costs[goal.cost], problem.limits
    if cost(limits.smallest) >= cost(problem.graph.full):
        raise ValueError(
            f"{goal.flag}: pruning at granularity {problem.graph.granularity} does not change "
            f"{goal.cost}; name another with --cost, such as params, size or energy"
        )


def points(outcomes: Sequence[Outcome], cost: str) -> list[Outcome]:
    """Of the candidates that nothing cheaper beats, the cheapest first, at most `POINTS`.

    Args:
        outcomes: Of a search.
        cost: Short name.
    """
    front: list[Outcome] = []
    for one in sorted(outcomes, key=lambda one: (one.costs[cost], -one.merit)):
        if not front or one.merit > front[-1].merit:
            front.append(one)
    if len(front) <= POINTS:
        return front
    costs = np.array([one.costs[cost] for one in front])
    wanted = np.linspace(costs[0], costs[-1], POINTS)
    return [front[at] for at in sorted({int(abs(costs - here).argmin()) for here in wanted})]


def cheapest(bench: Bench, judge: Judge) -> tuple[Outcome, Proof]:
    """The cheapest candidate of the front that holds; the dearest where none does.

    Raises:
        Interrupted: at Ctrl-C, with the search's policy on the disk.
    """
    config, made = bench.config, bench.made
    path = Path(config.output.out) / "policy.json"
    made.policy.save(path)
    within = bench.problem.limits.which_fit(np.array([one.kept for one in made.outcomes]))
    fit = [one for one, fits in zip(made.outcomes, within, strict=True) if fits]
    front = points(fit, config.goal.cost)

    def holds(candidate: Outcome, tried: int) -> Proof:
        tuned = bench.tuned(candidate, noted(bench, candidate))
        proof = judge.proof(tuned.network, len(front), tried)
        bench.console.print(_told(bench, candidate, proof), soft_wrap=True)
        return proof

    left = f"the front is found, and its largest network is in {path}"
    with resumable(lambda: Interrupted(left, config)):
        return halved(front, holds)


def noted(bench: Bench, candidate: Outcome) -> Named:
    """Where the fine-tuning of a candidate is noted."""
    return Named(bench.journal, f"candidate {candidate.number}")


def _told(bench: Bench, candidate: Outcome, proof: Proof) -> str:
    goal, problem = bench.config.goal, bench.problem
    left = candidate.costs[goal.cost] / problem.costs[goal.cost](problem.graph.full)
    word = "holds" if proof.holds else "does not hold surely"
    most = "drops by at most" if goal.least is None else "is surely worth"
    return (
        f"with {percent(left)} of {goal.cost}: {scored(proof.pruned)} against "
        f"{scored(proof.unpruned)} unpruned, {most} {scored(proof.bound)}: {word}"
    )


def halved(
    front: Sequence[Outcome], holds: Callable[[Outcome, int], Proof]
) -> tuple[Outcome, Proof]:
    """The first that holds, where all behind one that holds are taken to hold; else the last.

    Args:
        front: Candidates, the cheapest first.
        holds: Whether one does; told how many were asked about with this one.
    """
    proofs: dict[int, Proof] = {}

    def asked(at: int) -> bool:
        if at not in proofs:
            proofs[at] = holds(front[at], len(proofs) + 1)
        return proofs[at].holds

    low, high = 0, len(front) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if asked(middle) else (middle + 1, high)
    asked(low)
    return front[low], replace(proofs[low], tried=len(proofs))
