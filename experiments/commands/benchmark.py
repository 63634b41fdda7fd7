"""Several strategies on one problem: the same budget, criterion, refit, images and fine-tuning."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from rich.console import Console

from amc.earlier import Earlier
from amc.parsing import look_up
from amc.problem import Problem, Strategy
from experiments.commands.conclusion import conclude
from experiments.disk import ready_folder, write_whole
from experiments.latency import profiled
from experiments.report import render, standing
from experiments.runs import Interrupted, RunResult, begin, failure_kept, is_finished, run_journal
from experiments.search import (
    Bench,
    begins_somewhere,
    check_tuning,
    chosen,
    chosen_strategy,
    finish,
    is_agent,
    is_batched,
    make_strategy,
    prepare,
    run_strategy,
    scores_of,
    told_again,
    tunes_weights,
)
from experiments.settings import (
    BenchmarkSettings,
    ChoiceSettings,
    EarlierSettings,
    OutputSettings,
    SearchSettings,
    WorkSettings,
    benchmark_runs,
    save_config,
)
from experiments.zoo import Workload, load_workload
from netadapt import NetAdapt

RUN_FILES = ("policy.json", "model.safetensors", "result.json")
"""What the benchmark's folder has of its best run; the result last, as in every run folder."""


def run(config: BenchmarkSettings, console: Console) -> None:
    """What `amc benchmark` does."""
    conclude(benchmark(config, console), config.output, console)


def benchmark(config: BenchmarkSettings, console: Console) -> list[RunResult]:
    """Run every strategy; leave a run folder for each, the best one's files, and one report.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
    """
    named = [(run, chosen_strategy(run)) for run in _runs(config)]
    workload = load_workload(config.network, device=config.compute.device)
    config = profiled(config, workload, console)
    entries = [(replace(run, cut=config.cut), strategy) for run, strategy in named]
    check_tuning(config, workload)
    problem_of = _problems(config, workload, console)
    unpruned = scores_of(workload.model, problem_of(config.network.seed)[0].graph, workload.task)
    save_config(config, ready_folder(config.output.out) / "config.yaml")

    def result(run: SearchSettings, strategy: Strategy) -> RunResult:
        with run_journal(run, workload) as journal:
            if is_finished(journal):
                return told_again(run, console)
            problem, seconds = problem_of(run.network.seed)
            if run.work.together == 1:
                problem = problem.with_workers(None)
            if not run.earlier.from_:
                problem = problem.with_earlier(Earlier())
            begin(journal, run, workload, console)
            with failure_kept(run.output.out):
                made = run_strategy(run, strategy, problem, journal, console, unpruned=unpruned)
                made = replace(made, prepare_seconds=seconds)
                made = chosen(Bench(run, workload, problem, made, journal, console))
                return finish(run, workload, made, unpruned, journal, console)

    try:
        results = [result(run, strategy) for run, strategy in entries]
    except Interrupted as interrupted:
        raise Interrupted(interrupted.left, config) from None
    _write_summary(config, results)
    return results


def best_of(results: list[RunResult]) -> RunResult:
    """The best on held-out samples, after fine-tuning where there was any."""
    return max(results, key=standing)


def _runs(config: BenchmarkSettings) -> list[SearchSettings]:
    """One search for each strategy, in a folder of its own."""
    names = config.strategies
    if not names or not all(names) or len(set(names)) < len(names):
        raise ValueError(
            f"--strategies is {','.join(names)!r}; give different names, separated by commas"
        )
    for name, own in config.options.items():
        look_up(dict.fromkeys(names), name, "strategy in --options.STRATEGY.NAME")
        if not isinstance(own, dict):
            raise ValueError(
                f"--options: {name} has {own!r}; name a setting too, as in --options.ddpg.sigma 0.2"
            )
    told = benchmark_runs(names, config.network.seed, config.seeds)
    runs = [_run(config, *one) for one in told]
    if config.tensorboard and not any(run.tensorboard for run in runs):
        raise ValueError(
            f"--tensorboard: none of {', '.join(names)} is an agent of stable-baselines3, whose "
            "logger writes the scalars; leave the flag out, or add ddpg to --strategies"
        )
    return runs


def _run(config: BenchmarkSettings, name: str, seed: int, folder: str) -> SearchSettings:
    """A search's own settings, so that its config.yaml can be given to `amc search`."""
    options = dict(config.options.get(name, {}))
    if name == "manual" and config.manual is not None:
        options["file"] = config.manual
    out = str(Path(config.output.out) / folder)
    strategy = make_strategy(name, config.problem.episodes, options)
    agent = config.tensorboard and is_agent(strategy)
    return SearchSettings(
        network=replace(config.network, seed=seed),
        compute=config.compute,
        work=_work_of(strategy, config.work),
        output=OutputSettings(out, config.output.overwrite),
        tuning=config.tuning,
        schedule=config.schedule,
        choice=config.choice if not tunes_weights(strategy) else ChoiceSettings(),
        earlier=config.earlier if begins_somewhere(strategy, name) else EarlierSettings(),
        cut=config.cut,
        problem=config.problem,
        ending=config.ending,
        profiling=config.profiling,
        strategy=name,
        options=options,
        tensorboard=agent,
    )


def _work_of(strategy: Strategy, work: WorkSettings) -> WorkSettings:
    """What of it the strategy can do."""
    if isinstance(strategy, NetAdapt):
        return WorkSettings(work.workers)
    return work if is_batched(strategy) else WorkSettings()


def _problems(
    config: BenchmarkSettings, workload: Workload, console: Console
) -> Callable[[int], tuple[Problem, float]]:
    """The problem of a seed and the seconds that it took; one at a time is kept."""

    @lru_cache(maxsize=1)
    def problem_of(seed: int) -> tuple[Problem, float]:
        # What there is to say of the problem is the same for every seed.
        silent = Console(quiet=True) if seed != config.network.seed else console
        return prepare(
            replace(config, network=replace(config.network, seed=seed)), workload, silent
        )

    return problem_of


def _write_summary(config: BenchmarkSettings, results: list[RunResult]) -> None:
    out = Path(config.output.out)
    save_config(config, out / "config.yaml")
    write_whole(out / "report.html", render(results))
    for name in RUN_FILES:
        shutil.copyfile(Path(best_of(results).config["out"]) / name, out / name)
