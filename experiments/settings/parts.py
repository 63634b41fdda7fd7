"""Parts that the settings of commands are composed of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from amc.granularity import CHANNELS, Unit
from amc.policy import Budget
from experiments.settings.arguments import read_arguments
from experiments.settings.checked import Part
from experiments.settings.kinds import (
    AUTO,
    COMMAND,
    Amount,
    Arguments,
    Budgets,
    Device,
    Episodes,
    Epochs,
    Finalists,
    Fraction,
    Half,
    Inside,
    Listed,
    Multiple,
    Natural,
    Objective,
    Optimizer,
    Positive,
    Runtime,
    Schedule,
    Seed,
    Share,
    Some,
    Stages,
    Switch,
    Text,
    Threads,
    Width,
    Workers,
)
from experiments.settings.mistakes import Mistake

DATASET = "fashion-mnist"
"""Where none is named."""

HALF = (Budget("macs", 0.5),)
"""The budget where none is given, which is told from one that is by being this object."""

LEAST_BATCH = 4
"""Candidates that are chosen together where there are several workers, at least."""

MINUTES = 10.0
"""That a table is measured for on this machine, at most."""


@dataclass(frozen=True)
class NetworkSettings(Part):
    """Which network, for which task.

    Args:
        model: Short name (resnet20, mobilenet-v1, ...), timm:NAME, torchvision:NAME,
            transformers:FOLDER, or package.module:function of one's own.
        model_args: Arguments for a network of one's own or of a package, separated by commas:
            num_classes=10,drop_rate=0.1.
        dataset: Images to classify: short name (digits, fashion-mnist, cifar10), folder:PATH or
            package.module:function.
        task: Any other task, in place of a data set: package.module:function that returns an
            amc.Task, or one with example inputs as a pair.
        width: Factor on the channels of a network from the zoo.
        weights: Checkpoint of the trained network (.safetensors, or a .pt state dict); left out,
            the weights that come with the project, where there are some.
        seed: Of everything random in this command.
    """

    section: ClassVar[str] = "Network and task"
    model: Text = "resnet20"
    dataset: Text = DATASET
    width: Width = 1.0
    weights: Text | None = None
    seed: Seed = 0
    task: Text | None = None
    model_args: Arguments = ""

    @property
    def data(self) -> str:
        """What the network is scored on, by its name: the task, or the data set."""
        return self.task or self.dataset

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the network, each as a number, a truth value or a text."""
        return read_arguments(self.model_args)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task is not None and self.dataset != DATASET:
            raise Mistake(
                f"--dataset {self.dataset} and --task {self.task} are both given; give one of them"
            )
        if self.task is not None and ":" not in self.task:
            raise Mistake(
                f"--task is {self.task!r}; it must be package.module:function, which returns an "
                "amc.Task"
            )
        if self.arguments and ":" not in self.model:
            raise Mistake(
                f"--model-args is {self.model_args!r}, but {self.model} takes none; leave it out"
            )


@dataclass(frozen=True)
class ComputeSettings(Part):
    """Where networks are trained and candidates are measured.

    Args:
        device: Where networks compute: cpu, or an NVIDIA GPU as cuda or cuda:1.
    """

    section: ClassVar[str] = "Computing"
    device: Device = "cpu"


@dataclass(frozen=True)
class WorkSettings(Part):
    """How many candidates are measured at once.

    Args:
        workers: Processes that candidates are measured in, one thread each; netadapt tries its
            proposals in them.
        batch: Candidates that a search chooses before any of them is measured, on which its result
            hangs, as it does not on the workers; left out, 1 with one worker, else as many as
            workers and at least 4.
        ray: Measure them as tasks of a Ray cluster: local (this machine, --workers of its cores),
            auto (the one that this machine belongs to) or the address of a head node; with
            --workers above 1 so many at once, else as many as the cluster has room for.
    """

    section: ClassVar[str] = "Computing"
    workers: Workers = 1
    batch: Some | None = None
    ray: Text | None = None

    def __post_init__(self) -> None:
        """Also: the batch that goes with the workers, so that a run keeps to it."""
        super().__post_init__()
        if self.ray == "local" and self.workers == 1:
            raise Mistake(
                "--ray local takes as many cores of this machine as --workers says, which is 1; "
                "give more"
            )
        if self.batch == 1 and (self.workers > 1 or self.ray):
            raise Mistake(
                f"{self.flag} measures several candidates at once, and --batch 1 lets one be "
                "chosen at a time; give more, or leave one of the two out"
            )
        if self.batch is None and (self.workers > 1 or self.ray):
            object.__setattr__(self, "batch", max(LEAST_BATCH, self.workers))

    @property
    def together(self) -> int:
        """Candidates that are chosen together."""
        return self.batch or 1

    @property
    def flag(self) -> str:
        """What asks for several at once, as it was typed."""
        if self.ray:
            return f"--ray {self.ray}"
        return f"--workers {self.workers}" if self.workers > 1 else f"--batch {self.batch}"


def check_work(work: WorkSettings, problem: ProblemSettings) -> None:
    """See that what is done side by side may be.

    Raises:
        Mistake: where candidates race, who need to know the best so far.
    """
    if work.together > 1 and problem.racing:
        raise Mistake(
            f"{work.flag} measures candidates side by side, and --racing stops them by the best so "
            "far; leave one of the two out"
        )


@dataclass(frozen=True)
class ProfilingSettings(Part):
    """How a budget of latency is measured where no table is named.

    Args:
        runtime: Where a budget of latency without --latency is measured: on this processor
            onnxruntime, openvino, the same in 8-bit integers with -int8 behind it, torch (PyTorch's
            operators called one by one) or torch-compile; on an NVIDIA GPU onnxruntime-cuda or
            torch-cuda; elsewhere command:COMMAND with {onnx} in it, which prints milliseconds.
        threads: That it may use; a command is told by {threads}.
        profile_minutes: That measuring may take at most; left out, 10 on this machine, and as long
            as it takes by a command.
    """

    section: ClassVar[str] = "Latency"
    runtime: Runtime = "onnxruntime"
    threads: Threads = 1
    profile_minutes: Positive | None = None

    def __post_init__(self) -> None:
        """Also: a command without a place for the number of threads cannot be told one."""
        super().__post_init__()
        check_threads(self.runtime, self.threads)

    @property
    def seconds(self) -> float:
        """That measuring may take at most."""
        if self.profile_minutes is not None:
            return 60 * self.profile_minutes
        return math.inf if self.runtime.startswith(COMMAND) else 60 * MINUTES


def check_threads(runtime: str, threads: int) -> None:
    """See that a number of threads reaches the runtime.

    Raises:
        Mistake: for a command that has no place for it.
    """
    if runtime.startswith(COMMAND) and threads != 1 and "{threads}" not in runtime:
        raise Mistake(
            f"--threads is {threads}, and the command has no {{threads}}, which is where the "
            "number goes; put it in, or leave --threads out"
        )


@dataclass(frozen=True)
class MeasureSettings(Part):
    """What is measured when a run ends.

    Args:
        no_measure: Do not time the pruned network against the unpruned one (about 3 seconds).
    """

    section: ClassVar[str] = "Computing"
    no_measure: Switch = False


@dataclass(frozen=True)
class OutputSettings(Part):
    """Where results go.

    Args:
        out: Folder for the results.
        overwrite: Begin anew where the folder holds a run, finished or not; without this flag an
            unfinished one with the same settings goes on, and all others are refused.
    """

    section: ClassVar[str] = "Results"
    out: Text = "runs/run"
    overwrite: Switch = False


@dataclass(frozen=True)
class TuningSettings(Part):
    """How a pruned network is fine-tuned.

    Args:
        finetune_epochs: Passes over the training data after pruning; 0 leaves it out.
        finetune_rate: Peak learning rate of fine-tuning as a fraction of the rate that the network
            was trained with (its checkpoint tells, where `amc train` wrote it; else 0.1, with
            adamw 0.001); 1/10 to 1/100 is usual, 1 the most.
        finetune_lr: The same as a plain number, where that is to decide; left out, the fraction
            does.
        finetune_optimizer: sgd or adamw; left out, the one that the network was trained with, as
            its checkpoint tells; else sgd where it has batch norms, adamw where it has none.
        distill: Weight of the unpruned network's answers in the loss, from 0 (labels alone) to 1.
        temperature: Of distillation; higher ones show more of how wrong classes compare.
        patience: Checks on held-out samples without a better score after which fine-tuning
            stops, with the best weights so far; 0 runs to the end and takes the last.
        recalibrate: Training samples on which batch norms are measured again after pruning; 0
            leaves them as they are.
    """

    section: ClassVar[str] = "Fine-tuning"
    finetune_epochs: Epochs = 0.0
    finetune_rate: Fraction = 0.1
    finetune_lr: Positive | None = None
    finetune_optimizer: Optimizer | None = None
    distill: Share = 0.0
    temperature: Positive = 4.0
    patience: Natural = 0
    recalibrate: Natural = 0


@dataclass(frozen=True)
class ChoiceSettings(Part):
    """Which candidate of a search is the one to take.

    Args:
        objective: What it is best by: score, right after the cut; or tuned, after short
            fine-tunings of a few good ones and of uniform ratios (where weights are masked of one
            ranking of them as well), a quarter of --finetune-epochs at
            most, half of them going on to the next round.
        finalists: Candidates that are fine-tuned so.
    """

    section: ClassVar[str] = "Fine-tuning"
    objective: Objective = "score"
    finalists: Finalists = 4

    @property
    def by_tuning(self) -> bool:
        """Whether candidates are fine-tuned to choose among them."""
        return self.objective == "tuned"


def check_choice(choice: ChoiceSettings, tuning: TuningSettings) -> None:
    """See that what is chosen by fine-tuning is fine-tuned.

    Raises:
        Mistake: if it is not, or candidates are counted that nothing is done with.
    """
    if choice.by_tuning and not tuning.finetune_epochs:
        raise Mistake(
            "--objective tuned chooses by parts of the fine-tuning, of which there is none; give "
            "--finetune-epochs too"
        )
    if not choice.by_tuning and choice != ChoiceSettings(choice.objective):
        raise Mistake(
            f"--finalists is {choice.finalists}, and --objective {choice.objective} takes the best "
            "by score alone; give --objective tuned too"
        )


@dataclass(frozen=True)
class ScheduleSettings(Part):
    """How pruning and fine-tuning take turns.

    Args:
        finetune_schedule: one-shot (prune, then fine-tune), or linear or cubic (in stages, each
            fine-tuned; cubic prunes most at first).
        finetune_stages: Stages of a linear or cubic schedule.
        finetune_last: Fraction of the epochs that the last stage gets; 0 gives all stages the same.
    """

    section: ClassVar[str] = "Fine-tuning"
    finetune_schedule: Schedule = "one-shot"
    finetune_stages: Stages = 4
    finetune_last: Share = 0.0


@dataclass(frozen=True)
class CutSettings(Part):
    """How a network is cut and refit, whatever chose the ratios.

    Args:
        calibration_images: Training samples for the least-squares refit; 0 leaves it out.
        memory_batch: Samples at once that the cost memory is counted for, and that the latency of
            2:4 is timed with.
        latency: Table of how long this network takes where it will run, as `amc profile` writes
            it; latency is then told and can have a budget. A search that has a budget of latency
            and no table measures one.
    """

    section: ClassVar[str] = "Cutting"
    calibration_images: Natural = 4000
    memory_batch: Some = 1
    latency: Text | None = None


@dataclass(frozen=True)
class EarlierSettings(Part):
    """What a search knows before it begins.

    Args:
        from_: Folders of earlier runs to begin with, separated by commas, or the flag is given
            again: of this network at whatever budget, whose evaluations the search learns from; or
            of another one, whose ratios are carried over by the layers' features.
    """

    section: ClassVar[str] = "Problem"
    from_: Listed = ()

    @property
    def files(self) -> dict[str, str]:
        """What decides the result, by its flag."""
        return {f"--from {run}": f"{run}/result.json" for run in self.from_}


@dataclass(frozen=True)
class GoalSettings(Part):
    """How small a network may get where no budget says.

    Args:
        max_drop: In place of a budget: find the cheapest network whose score, fine-tuned, is at
            most this much worse than the unpruned one's, on held-out samples that the search has
            not seen; the chance that it is worse all the same is below 5%.
        floor: The same with a score that it must have: 0.92, or score=0.92.
        cost: What is to be small then: macs, params, size, memory, energy or latency. Budgets of
            others may be given, and hold beside it.
    """

    section: ClassVar[str] = "As small as may be"
    max_drop: Amount | None = None
    floor: Text | float | None = None
    cost: Text = "macs"

    def __post_init__(self) -> None:
        """Also: one of the two, and a cost only where there is one of them."""
        super().__post_init__()
        if self.max_drop is not None and self.floor is not None:
            raise Mistake("--max-drop and --floor are both given; give one of them")
        if self.floor is not None and self.least is None:
            raise Mistake(f"--floor is {self.floor!r}; it must be a score: 0.92 or score=0.92")
        if self.cost != "macs" and not self.asked:
            raise Mistake(
                f"--cost {self.cost} says what --max-drop or --floor makes small, and neither is "
                f"given; a budget of it is --budget {self.cost}=0.5"
            )

    @property
    def asked(self) -> bool:
        """Whether there is one."""
        return self.max_drop is not None or self.floor is not None

    @property
    def flag(self) -> str:
        """As it was typed."""
        if self.max_drop is not None:
            return f"--max-drop {self.max_drop:g}"
        return f"--floor {self.floor}"

    @property
    def least(self) -> float | None:
        """The score that the network must have; None where there is none."""
        try:
            found = float(str(self.floor).removeprefix("score="))
        except ValueError:
            return None
        return found if math.isfinite(found) else None


@dataclass(frozen=True)
class ProblemSettings(Part):
    """What is searched, whatever the strategy.

    Args:
        budget: What the pruned network may cost at most: macs=0.5, latency=60% (fractions of the
            unpruned network) or latency=5ms, params=1.2M, size=300kB, memory=2MB, energy=250uJ
            (absolute). Several are separated by commas, or the flag is given again; all hold.
        episodes: Candidates that a search with a free number of them evaluates.
        search_images: Held-out samples that candidates are measured on; 0 takes all.
        racing: Highest probability that a candidate better than the best so far is stopped
            early all the same, 0.01 for example; 0 measures every candidate on all samples.
        criterion: What ranks the units of a group: l1, l2, lp (lp:0.5), bn-scale, taylor, hessian,
            regression, random.
        granularity: What is removed at once: channel (the network really shrinks), or kernel,
            vector, element, 2:4, n:4 (weights become zeros), or both: channel+element.
        exclude: Layers to leave whole, as shell patterns separated by commas: stem.*,classifier.
        round_to: Kept channels (or kernels, ...) are multiples of this. auto takes whole blocks of
            16, 8 or 4 channels, which most hardware likes (all counts where a budget is out of
            their reach), and with --latency what hardware takes: the counts at the edges of steps
            in that table, as a budget of latency always does.
        max_ratio: Largest pruning ratio of any group, above 0 and below 1; left out, 0.8 for
            channels and 0.99 for what is finer; a fixed pattern such as 2:4 takes none.
        no_depth: Leave something of every group. Otherwise whole branches may go where the network
            goes on without: a residual block, an attention, an MLP.
    """

    section: ClassVar[str] = "Problem"
    budget: Budgets = HALF
    episodes: Episodes = 100
    search_images: Natural = 2000
    racing: Half = 0.0
    criterion: Text = "l1"
    granularity: Unit = CHANNELS
    exclude: Listed = ()
    round_to: Multiple = AUTO
    max_ratio: Inside | None = None
    no_depth: Switch = False

    def __post_init__(self) -> None:
        super().__post_init__()
        costs = [budget.cost for budget in self.budget]
        if len(set(costs)) < len(costs):
            given = ",".join(map(str, self.budget))
            raise Mistake(f"--budget is {given!r}; name each cost once")

    @property
    def multiple(self) -> int:
        """Of what legal counts are multiples, before a latency table has its say."""
        return self.round_to if isinstance(self.round_to, int) else 1
