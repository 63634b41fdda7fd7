"""Settings of the commands that search or apply policies, composed of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from amc.policy import Budget
from experiments.settings.commands import CommandSettings
from experiments.settings.kinds import (
    Budgets,
    Inside,
    Listed,
    Natural,
    Points,
    Policies,
    Seeds,
    Switch,
    Table,
    Text,
    Word,
)
from experiments.settings.mistakes import Mistake, WrongValue
from experiments.settings.parts import (
    HALF,
    ChoiceSettings,
    ComputeSettings,
    CutSettings,
    EarlierSettings,
    GoalSettings,
    MeasureSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    ProfilingSettings,
    ScheduleSettings,
    TuningSettings,
    WorkSettings,
    check_choice,
    check_work,
)
from experiments.settings.preparation import TrainSettings

DEFAULT = "residual-gp"
"""As `amc.strategies` has it, which settings do not wait for."""

LOWEST = 0.1
"""The smallest part of a cost that a search for the smallest network looks at."""


@dataclass(frozen=True)
class PruneSettings(CommandSettings):
    """Which policy is applied.

    Args:
        policy: Policy file, as a search or an export writes it; or the folder of a run, with
            --budget.
        budget: Take the best candidate of the run within it, as in macs=0.37; of `amc front` there
            is one for any.
    """

    command: ClassVar[str] = "prune"
    section: ClassVar[str] = "Policy"
    first: ClassVar[tuple[str, ...]] = (
        *("policy", "budget", "model", "dataset", "task", "weights", "finetune_epochs"),
        *("device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    ending: MeasureSettings = field(default_factory=MeasureSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/prune"))
    policy: Text = "policy.json"
    budget: Budgets = ()

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        decides = f"{self.policy}/result.json" if self.budget else self.policy
        return {"--latency": self.cut.latency, "--policy": decides}


@dataclass(frozen=True)
class SearchSettings(CommandSettings):
    """How ratios are searched.

    Args:
        strategy: Short name or package.module:Class. residual-gp, a Gaussian process that knows
            what refits miss; agents: gp-rollout, ddpg, ddpg-paper, td3, sac; narrowing step by
            step: netadapt; rules: uniform, shallow, deep, manual, sensitivity, global; other
            searches: random, evolution, tpe, gp, cma-es, knapsack; for all budgets up to this one:
            front.
        options: Further settings of the strategy, as in --options.sigma 0.2.
        tensorboard: Write an agent's scalars for TensorBoard, into the folder tensorboard of the
            run.
    """

    command: ClassVar[str] = "search"
    section: ClassVar[str] = "Strategy"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "task", "weights", "budget", "strategy", "episodes"),
        *("finetune_epochs", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(default_factory=ProblemSettings)
    earlier: EarlierSettings = field(default_factory=EarlierSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)
    goal: GoalSettings = field(default_factory=GoalSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    work: WorkSettings = field(default_factory=WorkSettings)
    ending: MeasureSettings = field(default_factory=MeasureSettings)
    profiling: ProfilingSettings = field(default_factory=ProfilingSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/search"))
    strategy: Text = DEFAULT
    options: Table = field(default_factory=dict)
    tensorboard: Switch = False

    def __post_init__(self) -> None:
        """Also: where the network is to be as small as may be, nothing says otherwise."""
        super().__post_init__()
        check_choice(self.choice, self.tuning)
        check_work(self.work, self.problem)
        if not self.goal.asked:
            return
        if self.choice.by_tuning:
            raise Mistake(
                f"{self.goal.flag} fine-tunes networks of every size already; leave --objective "
                "tuned out"
            )
        if self.problem.budget is HALF:
            object.__setattr__(self, "problem", replace(self.problem, budget=()))
        if any(one.cost == self.goal.cost for one in self.problem.budget):
            raise Mistake(
                f"{self.goal.flag} makes {self.goal.cost} as small as may be, and --budget is one "
                "of it; leave one of them out"
            )
        if self.problem.racing:
            raise Mistake(
                f"{self.goal.flag} looks at all budgets at once, and --racing stops candidates "
                "that are worse than the best of any; leave --racing out"
            )
        if self.tuning.patience:
            raise Mistake(
                f"{self.goal.flag} is judged on held-out samples that nothing else has seen, and "
                "--patience stops by all of them; leave --patience out"
            )
        if self.strategy not in (DEFAULT, "front") or self.options:
            given = f"--strategy {self.strategy}" if not self.options else "--options"
            raise Mistake(
                f"{self.goal.flag} searches all budgets in its own way; leave {given} out"
            )

    @property
    def of_all_budgets(self) -> SearchSettings:
        """The search for all budgets of the goal's cost."""
        budget = (Budget(self.goal.cost, 1.0), *self.problem.budget)
        return replace(
            self,
            problem=replace(self.problem, budget=budget),
            goal=GoalSettings(),
            strategy="front",
            options={"lowest": LOWEST},
        )

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        ratios = str(self.options.get("file")) if self.strategy == "manual" else None
        return {"--latency": self.cut.latency, "--options.file": ratios, **self.earlier.files}


@dataclass(frozen=True)
class FrontSettings(CommandSettings):
    """The trade-off of one cost: a search for every budget.

    Args:
        cost: Whose budgets: macs, params, size, memory, energy or latency. --budget adds others,
            which then hold at every point.
        lowest: The smallest budget, as a fraction of the unpruned network's cost; where that is
            out of reach, the smallest in reach.
        highest: The largest budget, as such a fraction.
        points: Budgets that are told, evenly from the one to the other; a policy for any in between
            is found in the run as well.
    """

    command: ClassVar[str] = "front"
    section: ClassVar[str] = "Front"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "task", "weights", "cost", "lowest", "highest"),
        *("points", "episodes", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(
        default_factory=partial(ProblemSettings, budget=(), episodes=600)
    )
    earlier: EarlierSettings = field(default_factory=EarlierSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    work: WorkSettings = field(default_factory=WorkSettings)
    ending: MeasureSettings = field(default_factory=MeasureSettings)
    profiling: ProfilingSettings = field(default_factory=ProfilingSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/front"))
    cost: Text = "macs"
    lowest: Inside = 0.2
    highest: Inside = 0.9
    points: Points = 10

    def __post_init__(self) -> None:
        """Also: there is something between the two."""
        super().__post_init__()
        if self.lowest >= self.highest:
            raise WrongValue("lowest", self.lowest, f"below --highest, which is {self.highest:g}")
        if any(one.cost == self.cost for one in self.problem.budget):
            raise Mistake(f"--budget is one of {self.cost}, which is --cost; leave one of them out")

    @property
    def search(self) -> SearchSettings:
        """The search that finds it."""
        budget = (Budget(self.cost, self.highest), *self.problem.budget)
        return SearchSettings(
            network=self.network,
            problem=replace(self.problem, budget=budget),
            earlier=self.earlier,
            cut=self.cut,
            compute=self.compute,
            work=self.work,
            ending=self.ending,
            profiling=self.profiling,
            output=self.output,
            strategy="front",
            options={"lowest": self.lowest, "points": self.points},
        )


@dataclass(frozen=True)
class BenchmarkSettings(CommandSettings):
    """The same problem for several strategies.

    Args:
        strategies: Short names, separated by commas.
        seeds: Runs of every strategy, with so many seeds from --seed on; above 1 results are means
            with their 95% intervals, and what may be chance is called so.
        manual: YAML file of layer patterns and ratios, for the strategy "manual".
        options: Further settings of one strategy, as in --options.ddpg.sigma 0.2.
        tensorboard: Write the agents' scalars for TensorBoard, into folders tensorboard of their
            runs.
    """

    command: ClassVar[str] = "benchmark"
    section: ClassVar[str] = "Strategies"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "task", "weights", "budget", "strategies", "episodes"),
        *("finetune_epochs", "seeds", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(default_factory=ProblemSettings)
    earlier: EarlierSettings = field(default_factory=EarlierSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    work: WorkSettings = field(default_factory=WorkSettings)
    ending: MeasureSettings = field(default_factory=MeasureSettings)
    profiling: ProfilingSettings = field(default_factory=ProfilingSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/benchmark"))
    strategies: Listed = (DEFAULT, "netadapt", "uniform")
    seeds: Seeds = 1
    manual: Text | None = None
    options: Table = field(default_factory=dict)
    tensorboard: Switch = False

    def __post_init__(self) -> None:
        """Also: what chooses by fine-tuning has some, and what is done at once may be."""
        super().__post_init__()
        check_choice(self.choice, self.tuning)
        check_work(self.work, self.problem)


@dataclass(frozen=True)
class TrustSettings(CommandSettings):
    """Which policies are fine-tuned to see how far a search's score may be trusted.

    Args:
        run: Run folder of a search, whose policies are taken; network, images, budget and all else
            that makes its problem are its own. Left out, policies are drawn at random for the
            problem that the flags describe, and the folder of --out becomes their run.
        policies: To fine-tune, from the whole range of the search's scores.
        train_images: Training samples for fine-tuning; 0 takes all.
        finetune_epochs: Passes over them.
        episodes: Policies to draw, where there is no run.
    """

    command: ClassVar[str] = "trust"
    section: ClassVar[str] = "Policies"
    first: ClassVar[tuple[str, ...]] = (
        *("policies", "train_images", "finetune_epochs", "model", "dataset", "task"),
        *("weights", "budget", "episodes", "out"),
    )
    run: Word | None = None
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(default_factory=partial(ProblemSettings, episodes=60))
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=partial(TuningSettings, 1.0))
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/trust"))
    policies: Policies = 12
    train_images: Natural = 0

    def __post_init__(self) -> None:
        """Also: without fine-tuning there is nothing to compare."""
        super().__post_init__()
        if self.tuning.finetune_epochs == 0:
            raise WrongValue("finetune_epochs", self.tuning.finetune_epochs, "above 0")


PruningSettings = PruneSettings | SearchSettings
"""Of the commands that prune a network and fine-tune it."""

RunSettings = TrainSettings | PruneSettings | SearchSettings
"""Of the commands whose runs go on."""

SearchingSettings = SearchSettings | BenchmarkSettings | TrustSettings
"""Of the commands that have a problem."""
