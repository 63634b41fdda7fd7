"""The settings of every command: frozen, typed, and saved beside the results.

The command line and its help are made from these classes, so defaults stand in one place only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from amc.finetuning import Recipe
from experiments.results import write_whole

Settings = dict[str, Any]


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
    """

    model: str = "resnet20"
    dataset: str = "fashion-mnist"
    width: float = 1.0
    weights: str | None = None
    seed: int = 0
    out: str = "runs/run"


@dataclass(frozen=True)
class TrainConfig(NetworkConfig):
    """How a network is trained from scratch.

    Args:
        epochs: Passes over the training images.
        lr: Peak learning rate, after a linear warm-up and before a cosine decay.
        batch_size: Images a step.
    """

    epochs: float = 16
    lr: float = 0.1
    batch_size: int = 128
    out: str = "runs/train"


@dataclass(frozen=True)
class CutConfig(NetworkConfig):
    """How a network is cut, refit and fine-tuned, whatever chose the ratios.

    Args:
        calibration_images: Training images for the least-squares refit; 0 leaves it out.
        finetune_epochs: Passes over the training images after pruning; 0 leaves it out.
        finetune_lr: Learning rate of fine-tuning; 1/10 to 1/100 of the training rate.
    """

    calibration_images: int = 4000
    finetune_epochs: float = 0
    finetune_lr: float = 0.01


@dataclass(frozen=True)
class PruneConfig(CutConfig):
    """Which policy is applied.

    Args:
        policy: Policy file, as a search or an export writes it.
    """

    policy: str = "policy.json"
    out: str = "runs/prune"


@dataclass(frozen=True)
class SearchConfig(CutConfig):
    """How ratios are searched.

    Args:
        strategy: Short name (ddpg, ddpg-paper, netadapt, uniform, manual) or package.module:Class.
        budget: What the pruned network may cost at most: macs=0.5, macs=50% (fractions of the
            unpruned network) or params=1.2M (absolute). Several are separated by commas.
        episodes: Candidates that a search with a free number of them evaluates.
        search_images: Held-out images that candidates are measured on; 0 takes all.
        criterion: What ranks the units of a group: l1 or l2.
        round_to: Kept channels are multiples of this.
        max_ratio: Largest pruning ratio of any group, above 0 and below 1.
        options: Further settings of the strategy, as in --options.sigma 0.2.
    """

    strategy: str = "ddpg"
    budget: str = "macs=0.5"
    episodes: int = 100
    search_images: int = 3000
    criterion: str = "l1"
    round_to: int = 1
    max_ratio: float = 0.8
    options: Settings = field(default_factory=dict)
    out: str = "runs/search"


@dataclass(frozen=True)
class BenchmarkConfig(SearchConfig):
    """The same problem for several strategies.

    Args:
        strategies: Short names, separated by commas.
        manual: YAML file of layer patterns and ratios, for the strategy "manual".
    """

    strategies: str = "ddpg,netadapt,uniform"
    manual: str | None = None
    out: str = "runs/benchmark"


@dataclass(frozen=True)
class ExportConfig:
    """What to write of a finished run.

    Args:
        run: Run folder, as made by search, prune or benchmark.
        format: onnx (needs the extra of that name), torch (safetensors with the policy inside) or
            json (the policy).
        out: File to write; left out, inside the run folder.
    """

    run: str
    format: str = "onnx"
    out: str | None = None


@dataclass(frozen=True)
class ReportConfig:
    """Which runs to show side by side.

    Args:
        runs: Run folders; of a benchmark's folder, every run inside.
        out: HTML file to write; left out, report.html in the first folder.
    """

    runs: list[str]
    out: str | None = None


def finetuning(config: CutConfig, augmentation: Settings) -> Recipe:
    """The recipe of fine-tuning after pruning."""
    return Recipe(
        epochs=config.finetune_epochs, lr=config.finetune_lr, seed=config.seed, **augmentation
    )


def save_config(config: NetworkConfig, path: Path) -> None:
    """Write the settings as YAML that `--config` reads back."""
    write_whole(path, yaml.safe_dump(asdict(config), sort_keys=False))
