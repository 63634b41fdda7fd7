"""The settings of each command, composed of parts.

The command line and its help are made from these classes, so defaults stand in one place only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from experiments.settings.checked import Checked
from experiments.settings.kinds import (
    Amount,
    Batch,
    Epochs,
    Inside,
    Listed,
    Natural,
    Policies,
    Positive,
    Runtime,
    Shape,
    Some,
    Switch,
    Table,
    Text,
    Threads,
    Word,
    Words,
)
from experiments.settings.mistakes import WrongValue
from experiments.settings.parts import (
    TRAINING_RATE,
    ComputeSettings,
    CutSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    ScheduleSettings,
    TuningSettings,
)


@dataclass(frozen=True)
class CommandSettings(Checked):
    """What the settings of every command tell of themselves."""

    command: ClassVar[str]
    """As it is typed, and as journals name it."""
    section: ClassVar[str] = "Of this command"
    """Of help, for settings that are in no part."""
    first: ClassVar[tuple[str, ...]] = ()
    """Those that matter first, in the order of help."""
    reads_file: ClassVar[bool] = True
    """Whether there is --config."""


@dataclass(frozen=True)
class TrainSettings(CommandSettings):
    """How a network is trained from scratch.

    Args:
        weights: Checkpoint to train further; left out, training starts from random weights.
        epochs: Passes over the training images.
        lr: Peak learning rate, after a linear warm-up and before a cosine decay.
        batch_size: Images a step.
        gamma_l1: L1 penalty on the scales of batch norms, which prepares a network for the
            criterion bn-scale; 1e-4 is usual.
        gamma_l2: L2 penalty on them.
    """

    command: ClassVar[str] = "train"
    section: ClassVar[str] = "Training"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "epochs", "lr", "batch_size", "device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/train"))
    epochs: Epochs = 16.0
    lr: Positive = TRAINING_RATE
    batch_size: Some = 128
    gamma_l1: Amount = 0.0
    gamma_l2: Amount = 0.0

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        return {}


@dataclass(frozen=True)
class ProfileSettings(CommandSettings):
    """Where and at which widths the time of a network is measured.

    Args:
        runtime: onnxruntime, or torch (PyTorch's operators called one by one).
        threads: That the runtime may use.
        batch_size: Samples in one pass.
        input_shape: Of one sample, such as 3,224,224; left out, that of the images of --dataset,
            which a search prunes on and whose table it takes.
        exclude: Layers that stay whole, as shell patterns separated by commas.
        round_to: Only multiples of this many kept channels are measured.
        max_ratio: Largest pruning ratio of a group that is measured; left out, 0.8.
        prepare: Folder for the programs and the script that times them on another device; nothing
            is measured here then.
        timings: What that script wrote, brought back; given with the same settings.
        out: Folder for the table, latency.json.
    """

    command: ClassVar[str] = "profile"
    section: ClassVar[str] = "Measuring"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "runtime", "threads", "batch_size", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    runtime: Runtime = "onnxruntime"
    threads: Threads = 1
    batch_size: Batch = 1
    input_shape: Shape | None = None
    exclude: Listed = ()
    round_to: Some = 1
    max_ratio: Inside | None = None
    prepare: Text | None = None
    timings: Text | None = None
    out: Text = "runs/profile"


@dataclass(frozen=True)
class PruneSettings(CommandSettings):
    """Which policy is applied.

    Args:
        policy: Policy file, as a search or an export writes it.
    """

    command: ClassVar[str] = "prune"
    section: ClassVar[str] = "Policy"
    first: ClassVar[tuple[str, ...]] = (
        *("policy", "model", "dataset", "weights", "finetune_epochs", "device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/prune"))
    policy: Text = "policy.json"

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        return {"--latency": self.cut.latency, "--policy": self.policy}


@dataclass(frozen=True)
class SearchSettings(CommandSettings):
    """How ratios are searched.

    Args:
        strategy: Short name or package.module:Class. Agents: ddpg, ddpg-paper, td3, sac; narrowing
            step by step: netadapt; rules: uniform, shallow, deep, manual, sensitivity, global;
            other searches: random, tpe, cma-es.
        options: Further settings of the strategy, as in --options.sigma 0.2.
        tensorboard: Write an agent's scalars for TensorBoard, into the folder tensorboard of the
            run.
    """

    command: ClassVar[str] = "search"
    section: ClassVar[str] = "Strategy"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "weights", "budget", "strategy", "episodes", "finetune_epochs"),
        *("device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(default_factory=ProblemSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/search"))
    strategy: Text = "ddpg"
    options: Table = field(default_factory=dict)
    tensorboard: Switch = False

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        ratios = str(self.options.get("file")) if self.strategy == "manual" else None
        return {"--latency": self.cut.latency, "--options.file": ratios}


@dataclass(frozen=True)
class BenchmarkSettings(CommandSettings):
    """The same problem for several strategies.

    Args:
        strategies: Short names, separated by commas.
        manual: YAML file of layer patterns and ratios, for the strategy "manual".
        options: Further settings of one strategy, as in --options.ddpg.sigma 0.2.
        tensorboard: Write the agents' scalars for TensorBoard, into folders tensorboard of their
            runs.
    """

    command: ClassVar[str] = "benchmark"
    section: ClassVar[str] = "Strategies"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "weights", "budget", "strategies", "episodes", "finetune_epochs"),
        *("device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    problem: ProblemSettings = field(default_factory=ProblemSettings)
    cut: CutSettings = field(default_factory=CutSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/benchmark"))
    strategies: Listed = ("ddpg", "netadapt", "uniform")
    manual: Text | None = None
    options: Table = field(default_factory=dict)
    tensorboard: Switch = False


@dataclass(frozen=True)
class TrustSettings(CommandSettings):
    """Which policies are fine-tuned to see how far a search's score may be trusted.

    Args:
        run: Run folder of a search, whose policies are taken; network, images, budget and all else
            that makes its problem are its own. Left out, policies are drawn at random for the
            problem that the flags describe, and the folder of --out becomes their run.
        policies: To fine-tune, from the whole range of the search's scores.
        train_images: Training images for fine-tuning; 0 takes all.
        finetune_epochs: Passes over them.
        episodes: Policies to draw, where there is no run.
    """

    command: ClassVar[str] = "trust"
    section: ClassVar[str] = "Policies"
    first: ClassVar[tuple[str, ...]] = (
        *("policies", "train_images", "finetune_epochs", "model", "dataset", "weights", "budget"),
        *("episodes", "device", "out"),
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


@dataclass(frozen=True)
class ExportSettings(CommandSettings):
    """What to write of a finished run.

    Args:
        run: Run folder, as made by search, prune or benchmark.
        format: onnx (needs the extra of that name), torch (safetensors with the policy inside),
            torch-pruning (pruning ratios of layers, for the package of that name) or json (the
            policy).
        out: File to write; left out, inside the run folder. Beside an ONNX file stand unpruned.onnx
            and export.json, which compares the two.
        measure: Seconds to compare the latencies of the ONNX files for; 0 writes the pruned network
            alone.
        threads: Of onnxruntime while it is measured; left out, those of the run's latency table, or
            1 without one. The batch size is the table's too.
        weights: Checkpoint of the unpruned network for unpruned.onnx; left out, the run's own.
        model: The run's own network, said again where that is package.module:function: code is
            imported where the command names it, and never because a run folder does.
        dataset: The run's own data set, the same.
    """

    command: ClassVar[str] = "export"
    section: ClassVar[str] = "Export"
    run: Word
    format: Text = "onnx"
    out: Text | None = None
    measure: Amount = 5.0
    threads: Threads | None = None
    weights: Text | None = None
    model: Text | None = None
    dataset: Text | None = None


@dataclass(frozen=True)
class ReportSettings(CommandSettings):
    """Which runs to show side by side.

    Args:
        runs: Run folders; of a benchmark's folder, every run inside.
        out: HTML file to write; left out, report.html in the first folder.
    """

    command: ClassVar[str] = "report"
    section: ClassVar[str] = "Report"
    reads_file: ClassVar[bool] = False
    runs: Words
    out: Text | None = None


@dataclass(frozen=True)
class RunsSettings(CommandSettings):
    """Which runs to list.

    Args:
        folder: Folder that holds them, however deep.
    """

    command: ClassVar[str] = "runs"
    reads_file: ClassVar[bool] = False
    folder: Word = "runs"
