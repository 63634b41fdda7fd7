"""One search, from a strategy and a problem to a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from torch import nn

from amc.costs import Cost
from amc.graph import PruningGraph
from amc.history import Outcome
from amc.policy import Budget, Policy
from amc.problem import Problem, SearchResult, Strategy
from experiments.disk import machine
from experiments.runs import (
    Choice,
    CostChange,
    Interrupted,
    RunJournal,
    RunResult,
    Scores,
    SoFar,
    resumable,
)
from experiments.search.holding import holding
from experiments.search.strategies import expected_evaluations, tunes_weights
from experiments.search.tuning import check_stages
from experiments.settings import SearchSettings, flat
from experiments.terminal import Reporter, count, scored


@dataclass(frozen=True)
class Found:
    """What a search or a policy file decided, before fine-tuning.

    Args:
        policy: The decision.
        graph: Of the unpruned network, at the policy's granularity.
        network: Really smaller, or of full size and held by masks.
        costs: By short name.
        outcomes: Evaluated on the way.
        budgets: That it keeps to, as far as that is known.
        prepare_seconds: Tracing the network and collecting its moments.
        search_seconds: The search itself.
        tuned_steps: Gradient steps that the network has had inside the search.
        bound: See `experiments.search.holding.holding`.
        most_evaluations: That the search could make; None where it cannot be known.
        search_images: Held-out images that candidates were measured on; 0 stands for all.
        choice: Among what it was chosen by short fine-tunings, if it was.
        choose_seconds: That this took.
    """

    policy: Policy
    graph: PruningGraph
    network: nn.Module
    costs: Mapping[str, Cost]
    outcomes: tuple[Outcome, ...]
    budgets: tuple[Budget, ...]
    prepare_seconds: float
    search_seconds: float
    tuned_steps: int = 0
    bound: float = 1.0
    most_evaluations: int | None = 0
    search_images: int = 0
    choice: Choice | None = None
    choose_seconds: float = 0.0


def run_strategy(
    config: SearchSettings,
    strategy: Strategy,
    problem: Problem,
    journal: RunJournal,
    console: Console,
    *,
    clocked: bool = True,
    unpruned: Scores | None = None,
) -> Found:
    """What a strategy finds, its policy on the disk, with a journal that answers for what is done.

    Args:
        config: Of the search.
        strategy: It.
        problem: What it solves.
        journal: Of the run.
        console: For progress.
        clocked: Whether its winner is held against the clock where a budget is one of time.
        unpruned: Scores of the network as it came, by which the best so far is shown to whoever
            watches; None shows nothing.

    Raises:
        Interrupted: at Ctrl-C, with the best policy so far on the disk.
    """
    watch = Watch(console, config, problem)
    if unpruned is not None:
        watch.shows = _Showing(config, problem, unpruned)
    latest = [problem.with_history(journal, watch)]

    def interrupted() -> Interrupted:
        criterion = getattr(strategy, "criterion", None)
        return Interrupted(_best_so_far(config, latest[-1], criterion or None), config)

    def search(asked: Problem) -> SearchResult:
        latest.append(asked)
        return result_of(strategy, asked, config)

    with resumable(interrupted), watch.reporter:
        if clocked:
            result, bound = holding(search, latest[0], again=not tunes_weights(strategy))
        else:
            result, bound = search(latest[0]), 1.0
    return found(config, problem, result, bound)


FOREIGN = (
    *(AssertionError, AttributeError, LookupError, NameError, StopIteration, SyntaxError),
    *(SystemExit, TypeError, ZeroDivisionError),
)
"""What a mistake in a user's own strategy may raise, and nothing that a budget or a disk does."""


def result_of(strategy: Strategy, problem: Problem, config: SearchSettings) -> SearchResult:
    """What a strategy finds, which may be a class of the user's own.

    Raises:
        ValueError: if that fails as no strategy of ours does, or gives something else.
    """
    foreign = FOREIGN if ":" in config.strategy else ()
    try:
        result = strategy.search(problem, config.network.seed)
    except foreign as error:
        raise ValueError(
            f"strategy {config.strategy!r} fails ({type(error).__name__}: {error}); --debug shows "
            "where"
        ) from error
    if not isinstance(result, SearchResult):
        raise ValueError(
            f"strategy {config.strategy!r} gave {type(result).__name__}; let search() return "
            "problem.result()"
        )
    return result


def found(
    config: SearchSettings, problem: Problem, result: SearchResult, bound: float = 1.0
) -> Found:
    """What a search found, with its network.

    Raises:
        ValueError: for stages after a strategy that has tuned weights without saying so before.
    """
    check_stages(config, result.weights is not None)
    network = problem.network_of(result)
    policy = problem.policy(result.best.kept, _origin(config), result.criterion)
    return Found(
        policy=policy,
        graph=problem.graph,
        network=network,
        costs=problem.costs,
        outcomes=result.outcomes,
        budgets=config.problem.budget,
        prepare_seconds=0.0,
        search_seconds=result.seconds,
        tuned_steps=result.tuned_steps,
        bound=bound,
        most_evaluations=_expected(config, problem),
        search_images=config.problem.search_images,
    )


def _origin(config: SearchSettings) -> dict[str, str]:
    return {
        "strategy": config.strategy,
        "model": config.network.model,
        "width": f"{config.network.width:g}",
        "dataset": config.network.data,
        "budget": ",".join(map(str, config.problem.budget)),
        "seed": str(config.network.seed),
    }


def _expected(config: SearchSettings, problem: Problem) -> int | None:
    episodes, groups = config.problem.episodes, len(problem.graph.groups)
    return expected_evaluations(config.strategy, episodes, groups, config.options)


def _best_so_far(config: SearchSettings, problem: Problem, criterion: str | None) -> str:
    """Write the policy of the best candidate so far, and say what was written."""
    if not problem.outcomes:
        return "nothing was evaluated yet"
    best, state = problem.best(), f"after {count(len(problem.outcomes), 'evaluation')}"
    if best is None:
        best = min(problem.outcomes, key=lambda outcome: _use(problem, outcome))
        state += ", not yet within the budget"
    origin = {**_origin(config), "interrupted": state}
    path = Path(config.output.out) / "policy.json"
    problem.policy(best.kept, origin, criterion).save(path)
    name, value = problem.task.score.name, scored(best.score)
    return f"the best policy so far ({state}) has {name} {value} and is in {path}"


def _use(problem: Problem, outcome: Outcome) -> float:
    """Of the scarcest budget, as a fraction of it."""
    return max(outcome.costs[item.name] / item.most for item in problem.limits.items)


class Watch:
    """Shows a search's outcomes as they come.

    Attributes:
        shows: Leaves the best so far for whoever watches the run; None where nobody can.
    """

    def __init__(self, console: Console, config: SearchSettings, problem: Problem) -> None:
        self._limits, self._score = problem.limits.items, problem.task.score.name
        self.reporter = Reporter(config.strategy, _expected(config, problem), console)
        self.shows: _Showing | None = None

    def __call__(self, outcome: Outcome, best: Outcome | None) -> None:
        if self.shows is not None:
            self.shows(outcome, best)
        if best is not None:
            note = f"best {self._score} {scored(best.score)}"
        else:
            most = max(self._limits, key=lambda item: outcome.costs[item.name] / item.most)
            left = f"{outcome.costs[most.name] / most.full:.0%} {most.name}"
            note = f"not yet within the budget: {self._score} {scored(outcome.score)} at {left}"
        self.reporter.update(outcome.number + 1, note)


class _Showing:
    """Leaves the best of a search so far in its folder.

    Args:
        config: Of the search.
        problem: That it solves.
        unpruned: Scores of the network as it came.
    """

    def __init__(self, config: SearchSettings, problem: Problem, unpruned: Scores) -> None:
        self._config, self._problem = config, problem
        # Of the best so far there is no score on samples of the test to set beside another.
        self._unpruned = Scores(unpruned.holdout, None)
        self._outcomes, self._made = list[Outcome](), machine(config.compute.device)
        self._so_far = SoFar(Path(config.output.out))

    def __call__(self, outcome: Outcome, best: Outcome | None) -> None:
        del self._outcomes[outcome.number :]  # A search that is made again begins anew.
        self._outcomes.append(outcome)
        if best is not None and self._so_far.due:
            self._so_far.write(partial(self._result, best))

    def _result(self, best: Outcome) -> RunResult:
        config, problem = self._config, self._problem
        full, costs = problem.graph.full, problem.costs
        return RunResult(
            strategy=config.strategy,
            model=config.network.model,
            dataset=config.network.data,
            seed=config.network.seed,
            budgets=config.problem.budget,
            unpruned=self._unpruned,
            searched=Scores(best.score, None),
            finetuned=None,
            costs={
                name: CostChange(cost.unit, cost(full), best.costs[name])
                for name, cost in costs.items()
            },
            groups=problem.policy(best.kept).groups,
            granularity=problem.graph.granularity,
            evaluations=tuple(self._outcomes),
            seconds={"search": self._outcomes[-1].seconds},
            most_evaluations=_expected(config, problem),
            score=problem.task.score,
            config={**flat(config), "overwrite": False},
            machine=self._made,
        )
