"""The settings of every command: frozen, typed, and saved beside the results.

The command line and its help are made from these classes, so defaults stand in one place only.
Numbers are checked here, before any work; messages name the flag that sets them. Nothing here
imports torch, so that help and refusals come at once.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments.disk import write_whole

Settings = dict[str, Any]
LARGEST_SEED = 2**32 - 1
"""What every generator in use accepts."""
LONGEST = 100_000
"""Epochs and episodes at most; more is a slip of the keyboard."""
WIDEST = 64
"""Times the channels of a network at most."""

TRAINING_RATE = 0.1
"""Peak learning rate of `amc train`, and of the networks that come with the project."""

LARGEST_BATCH = 65_536
"""Samples in a pass that is timed."""

MOST_THREADS = 1024

HARDWARE = "hardware"
"""What round_to can be beside a number."""

RUNTIMES = ("onnxruntime", "torch")
"""That `amc profile` knows."""

SCHEDULES = ("one-shot", "linear", "cubic")
"""The kinds that `amc.finetuning.schedule` knows."""


@dataclass(frozen=True)
class NetworkConfig:
    """Which network, on which images.

    Args:
        model: Short name (resnet20, mobilenet-v1, ...) or package.module:function of one's own.
        dataset: Short name (digits, fashion-mnist, cifar10), folder:PATH or
            package.module:function.
        width: Factor on the channels of a network from the zoo.
        weights: Checkpoint of the trained network (.safetensors, or a .pt state dict); left out,
            the weights that come with the project, where there are some.
        seed: Of everything random in this command.
        out: Folder for the results.

    Raises:
        ValueError: in this and all other settings, if a number is out of its range.
    """

    model: str = "resnet20"
    dataset: str = "fashion-mnist"
    width: float = 1.0
    weights: str | None = None
    seed: int = 0
    out: str = "runs/run"

    def __post_init__(self) -> None:
        check("width", self.width, 0 < self.width <= WIDEST, f"above 0 and up to {WIDEST}")
        check("seed", self.seed, 0 <= self.seed <= LARGEST_SEED, f"0 to {LARGEST_SEED}")


DEVICES = "cpu, cuda, or a numbered GPU such as cuda:1"


def is_device(name: str) -> bool:
    """Whether this is one of `DEVICES`, there or not."""
    return bool(re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]*))?", name))


@dataclass(frozen=True)
class ComputeConfig(NetworkConfig):
    """Where networks are trained and candidates are measured.

    Args:
        device: Where networks compute: cpu, or an NVIDIA GPU as cuda or cuda:1.
    """

    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check("device", self.device, is_device(self.device), DEVICES)


@dataclass(frozen=True)
class TrainConfig(ComputeConfig):
    """How a network is trained from scratch.

    Args:
        weights: Checkpoint to train further; left out, training starts from random weights.
        epochs: Passes over the training images.
        lr: Peak learning rate, after a linear warm-up and before a cosine decay.
        batch_size: Images a step.
        gamma_l1: L1 penalty on the scales of batch norms, which prepares a network for the
            criterion bn-scale; 1e-4 is usual.
        gamma_l2: L2 penalty on them.
        overwrite: Begin anew where the folder holds a training, finished or not; without this flag
            an unfinished one with the same settings goes on, and all others are refused.
    """

    epochs: float = 16
    lr: float = TRAINING_RATE
    batch_size: int = 128
    gamma_l1: float = 0
    gamma_l2: float = 0
    overwrite: bool = False
    out: str = "runs/train"

    def __post_init__(self) -> None:
        super().__post_init__()
        check("epochs", self.epochs, 0 <= self.epochs <= LONGEST, f"0 to {LONGEST:,}")
        check("lr", self.lr, 0 < self.lr < math.inf, "a number above 0")
        check("batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        check("gamma_l1", self.gamma_l1, 0 <= self.gamma_l1 < math.inf, "0 or more")
        check("gamma_l2", self.gamma_l2, 0 <= self.gamma_l2 < math.inf, "0 or more")


@dataclass(frozen=True)
class ProfileConfig(NetworkConfig):
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

    runtime: str = "onnxruntime"
    threads: int = 1
    batch_size: int = 1
    input_shape: str | None = None
    exclude: str = ""
    round_to: int = 1
    max_ratio: float | None = None
    prepare: str | None = None
    timings: str | None = None
    out: str = "runs/profile"

    def __post_init__(self) -> None:
        super().__post_init__()
        check("runtime", self.runtime, self.runtime in RUNTIMES, " or ".join(RUNTIMES))
        check_threads(self.threads)
        batch = self.batch_size
        check("batch_size", batch, 1 <= batch <= LARGEST_BATCH, f"1 to {LARGEST_BATCH:,}")
        sizes = listed(self.input_shape or "")
        whole = all(size.isdecimal() and int(size) > 0 for size in sizes)
        check("input_shape", self.input_shape, whole, "whole numbers above 0, such as 3,224,224")
        check("round_to", self.round_to, self.round_to >= 1, "1 or more")
        most = self.max_ratio
        check("max_ratio", most, most is None or 0 < most < 1, "above 0 and below 1")


@dataclass(frozen=True)
class TuneConfig(ComputeConfig):
    """How a pruned network is fine-tuned.

    Args:
        finetune_epochs: Passes over the training images after pruning; 0 leaves it out.
        finetune_rate: Peak learning rate of fine-tuning as a fraction of the rate that the network
            was trained with (its checkpoint tells, where `amc train` wrote it; else 0.1); 1/10
            to 1/100 is usual, 1 the most.
        finetune_lr: The same as a plain number, where that is to decide; left out, the fraction
            does.
        finetune_schedule: How pruning and fine-tuning take turns: one-shot (prune, then fine-tune),
            or linear or cubic (in stages, each fine-tuned; cubic prunes most at first).
        finetune_stages: Stages of a linear or cubic schedule.
        finetune_last: Fraction of the epochs that the last stage gets; 0 gives all stages the same.
        distill: Weight of the unpruned network's answers in the loss of fine-tuning, from 0
            (labels alone) to 1.
        temperature: Of distillation; higher ones show more of how wrong classes compare.
        patience: Checks on held-out images without a better accuracy after which fine-tuning stops,
            with the best weights so far; 0 runs to the end and takes the last.
        recalibrate: Training images on which batch norms are measured again after pruning; 0 leaves
            them as they are.
    """

    finetune_epochs: float = 0
    finetune_rate: float = 0.1
    finetune_lr: float | None = None
    finetune_schedule: str = "one-shot"
    finetune_stages: int = 4
    finetune_last: float = 0
    distill: float = 0
    temperature: float = 4
    patience: int = 0
    recalibrate: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        epochs, lr, kind = self.finetune_epochs, self.finetune_lr, self.finetune_schedule
        check("finetune_epochs", epochs, 0 <= epochs <= LONGEST, f"0 to {LONGEST:,}")
        rate, last = self.finetune_rate, self.finetune_last
        check("finetune_rate", rate, 0 < rate <= 1, "a fraction above 0 and up to 1")
        check("finetune_lr", lr, lr is None or 0 < lr < math.inf, "a number above 0")
        check("finetune_schedule", kind, kind in SCHEDULES, "one of " + ", ".join(SCHEDULES))
        check(
            "finetune_stages", self.finetune_stages, 1 <= self.finetune_stages <= 1000, "1 to 1000"
        )
        check("finetune_last", last, 0 <= last <= 1, "from 0 to 1")
        check("distill", self.distill, 0 <= self.distill <= 1, "from 0 to 1")
        check("temperature", self.temperature, 0 < self.temperature < math.inf, "a number above 0")
        check("patience", self.patience, self.patience >= 0, "0 or more")
        check("recalibrate", self.recalibrate, self.recalibrate >= 0, "0 or more")


@dataclass(frozen=True)
class CutConfig(TuneConfig):
    """How a network is cut, refit and fine-tuned, whatever chose the ratios.

    Args:
        calibration_images: Training images for the least-squares refit; 0 leaves it out.
        memory_batch: Images at once that the cost memory is counted for, and that the latency of
            2:4 is timed with.
        latency: Table of how long this network takes where it will run, as `amc profile` writes
            it; latency is then told and can have a budget.
        overwrite: Begin anew where the folder holds a run, finished or not; without this flag an
            unfinished one with the same settings goes on, and all others are refused.
    """

    calibration_images: int = 4000
    memory_batch: int = 1
    latency: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        images = self.calibration_images
        check("calibration_images", images, images >= 0, "0 or more")
        check("memory_batch", self.memory_batch, self.memory_batch >= 1, "1 or more")


@dataclass(frozen=True)
class PruneConfig(CutConfig):
    """Which policy is applied.

    Args:
        policy: Policy file, as a search or an export writes it.
    """

    policy: str = "policy.json"
    out: str = "runs/prune"


@dataclass(frozen=True)
class ProblemConfig(CutConfig):
    """What is searched, whatever the strategy.

    Args:
        budget: What the pruned network may cost at most: macs=0.5, macs=50% (fractions of the
            unpruned network) or params=1.2M, size=300kB, memory=2MB, energy=250uJ (absolute).
            Several are separated by commas, or the flag is given again; all hold.
        episodes: Candidates that a search with a free number of them evaluates.
        search_images: Held-out images that candidates are measured on; 0 takes all.
        racing: Stop a candidate as soon as it looks hopeless; the number is the highest probability
            that one more accurate than the best so far is stopped all the same, 0.01 for
            example. 0 measures every candidate on all of these images.
        criterion: What ranks the units of a group: l1, l2, lp (lp:0.5), bn-scale, taylor, hessian,
            regression, random.
        granularity: What is removed at once: channel (the network really shrinks), or kernel,
            vector, element, 2:4, n:4 (weights become zeros).
        exclude: Layers to leave whole, as shell patterns separated by commas: stem.*,classifier.
        round_to: Kept channels (or kernels, ...) are multiples of this; hardware takes the counts
            at the edges of steps in the table of --latency, which a budget of latency always does.
        max_ratio: Largest pruning ratio of any group, above 0 and below 1; left out, 0.8 for
            channels and 0.99 for what is finer; a fixed pattern such as 2:4 takes none.
    """

    budget: str = "macs=0.5"
    episodes: int = 100
    search_images: int = 2000
    racing: float = 0.0
    criterion: str = "l1"
    granularity: str = "channel"
    exclude: str = ""
    round_to: int | str = 1
    max_ratio: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        episodes = self.episodes
        check("episodes", episodes, 1 <= episodes <= LONGEST, f"1 or more, up to {LONGEST:,}")
        check("search_images", self.search_images, self.search_images >= 0, "0 or more")
        check("racing", self.racing, 0 <= self.racing < 0.5, "0 or more, and below 0.5")
        known = self.round_to == HARDWARE or (isinstance(self.round_to, int) and self.round_to >= 1)
        check("round_to", self.round_to, known, f"1 or more, or {HARDWARE}")
        most = self.max_ratio
        check("max_ratio", most, most is None or 0 < most < 1, "above 0 and below 1")

    @property
    def multiple(self) -> int:
        """Of what legal counts are multiples, before a latency table has its say."""
        return self.round_to if isinstance(self.round_to, int) else 1


@dataclass(frozen=True)
class SearchConfig(ProblemConfig):
    """How ratios are searched.

    Args:
        strategy: Short name or package.module:Class. Agents: gp-rollout, ddpg, ddpg-paper, td3,
            sac; narrowing step by step: netadapt; rules: uniform, shallow, deep, manual,
            sensitivity, global; other searches: random, tpe, cma-es.
        options: Further settings of the strategy, as in --options.sigma 0.2.
        tensorboard: Write an agent's scalars for TensorBoard, into the folder tensorboard of the
            run.
    """

    strategy: str = "gp-rollout"
    options: Settings = field(default_factory=dict)
    tensorboard: bool = False
    out: str = "runs/search"


@dataclass(frozen=True)
class BenchmarkConfig(ProblemConfig):
    """The same problem for several strategies.

    Args:
        strategies: Short names, separated by commas.
        manual: YAML file of layer patterns and ratios, for the strategy "manual".
        options: Further settings of one strategy, as in --options.gp-rollout.sigma 0.2.
        tensorboard: Write the agents' scalars for TensorBoard, into folders tensorboard of their
            runs.
    """

    strategies: str = "gp-rollout,netadapt,uniform"
    manual: str | None = None
    options: Settings = field(default_factory=dict)
    tensorboard: bool = False
    out: str = "runs/benchmark"


@dataclass(frozen=True)
class TrustConfig(ProblemConfig):
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

    run: str | None = None
    policies: int = 12
    train_images: int = 0
    finetune_epochs: float = 1
    episodes: int = 60
    out: str = "runs/trust"

    def __post_init__(self) -> None:
        super().__post_init__()
        check("policies", self.policies, self.policies >= 3, "3 or more")
        check("train_images", self.train_images, self.train_images >= 0, "0 or more")
        epochs, schedule = self.finetune_epochs, self.finetune_schedule
        check("finetune_epochs", epochs, epochs > 0, "above 0")
        check("finetune_schedule", schedule, schedule == "one-shot", "one-shot to be comparable")


@dataclass(frozen=True)
class ExportConfig:
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

    run: str
    format: str = "onnx"
    out: str | None = None
    measure: float = 5
    threads: int | None = None
    weights: str | None = None
    model: str | None = None
    dataset: str | None = None

    def __post_init__(self) -> None:
        check("measure", self.measure, 0 <= self.measure < math.inf, "0 or more")
        if self.threads is not None:
            check_threads(self.threads)


@dataclass(frozen=True)
class ReportConfig:
    """Which runs to show side by side.

    Args:
        runs: Run folders; of a benchmark's folder, every run inside.
        out: HTML file to write; left out, report.html in the first folder.
    """

    runs: list[str]
    out: str | None = None


@dataclass(frozen=True)
class RunsConfig:
    """Which runs to list.

    Args:
        folder: Folder that holds them, however deep.
    """

    folder: str = "runs"


def listed(text: str) -> list[str]:
    """Words that a setting separates by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def run_folder(strategy: str) -> str:
    """What a benchmark calls the folder of a strategy's run."""
    return strategy.replace(":", ".")


def check(name: str, value: object, good: bool, wanted: str) -> None:
    """Refuse the value of a setting that is not `good`.

    Raises:
        ValueError: naming the flag, its value and what is `wanted`.
    """
    if not good:
        raise ValueError(f"--{name.replace('_', '-')} is {value}; it must be {wanted}")


def check_threads(threads: int) -> None:
    """Refuse a number of threads that no machine has.

    Raises:
        ValueError: naming the flag.
    """
    check("threads", threads, 1 <= threads <= MOST_THREADS, f"1 or more, up to {MOST_THREADS}")


def save_config(config: NetworkConfig, path: Path) -> None:
    """Write the settings as YAML that `--config` reads back, and that overwrites nothing then."""
    settings = {name: value for name, value in asdict(config).items() if name != "overwrite"}
    write_whole(path, yaml.safe_dump(settings, sort_keys=False))
