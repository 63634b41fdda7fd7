"""Settings of the commands before a search: `amc train` and `amc profile`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from experiments.settings.commands import CommandSettings
from experiments.settings.kinds import (
    AUTO,
    COMMAND,
    USUAL_RATES,
    Amount,
    Batch,
    Blocks,
    Epochs,
    Inside,
    Listed,
    Optimizer,
    Positive,
    Runtime,
    Shape,
    Some,
    Text,
    Threads,
)
from experiments.settings.mistakes import Mistake
from experiments.settings.parts import (
    ComputeSettings,
    NetworkSettings,
    OutputSettings,
    check_threads,
)


@dataclass(frozen=True)
class TrainSettings(CommandSettings):
    """How a network is trained from scratch.

    Args:
        weights: Checkpoint to train further; left out, training starts from random weights.
        epochs: Passes over the training images.
        lr: Peak learning rate, after a linear warm-up and before a cosine decay; left out, 0.1 with
            sgd and 0.001 with adamw.
        optimizer: sgd (with momentum, for convolutional networks) or adamw (for transformers).
        batch_size: Images a step.
        gamma_l1: L1 penalty on the scales of batch norms, which prepares a network for the
            criterion bn-scale; 1e-4 is usual.
        gamma_l2: L2 penalty on them.
    """

    command: ClassVar[str] = "train"
    section: ClassVar[str] = "Training"
    first: ClassVar[tuple[str, ...]] = (
        *("model", "dataset", "epochs", "lr", "batch_size", "optimizer"),
        *("device", "seed", "out"),
    )
    network: NetworkSettings = field(default_factory=NetworkSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    output: OutputSettings = field(default_factory=partial(OutputSettings, "runs/train"))
    epochs: Epochs = 16.0
    lr: Positive | None = None
    optimizer: Optimizer = "sgd"
    batch_size: Some = 128
    gamma_l1: Amount = 0.0
    gamma_l2: Amount = 0.0

    def __post_init__(self) -> None:
        """Also: the optimizer's usual rate where none is said."""
        super().__post_init__()
        if self.network.task is not None:
            raise Mistake(
                f"--task is {self.network.task}, and amc train trains on images; train with code "
                "of your own, and name its weights with --weights"
            )
        if self.lr is None:
            object.__setattr__(self, "lr", USUAL_RATES[self.optimizer])

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        assert self.lr is not None
        return self.lr

    @property
    def files(self) -> Mapping[str, str | None]:
        """What decides the result beside weights and images, by its flag."""
        return {}


@dataclass(frozen=True)
class ProfileSettings(CommandSettings):
    """Where and at which widths the time of a network is measured.

    Args:
        runtime: On the processor onnxruntime, openvino, the same in 8-bit integers with -int8
            behind it, torch (PyTorch's operators called one by one) or torch-compile; on an NVIDIA
            GPU onnxruntime-cuda or torch-cuda; elsewhere command:COMMAND with {onnx} in it, which
            prints milliseconds.
        threads: That the runtime may use.
        batch_size: Samples in one pass.
        input_shape: Of one sample, such as 3,224,224, or 128 for so many tokens; left out, that of
            the data, which a search prunes on and whose table it takes.
        exclude: Layers that stay whole, as shell patterns separated by commas.
        round_to: Only multiples of this many kept channels are measured; auto measures whole blocks
            of 16, 8 or 4 channels, as searches keep unless told otherwise, and 1 every count.
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
    round_to: Blocks = AUTO
    max_ratio: Inside | None = None
    prepare: Text | None = None
    timings: Text | None = None
    out: Text = "runs/profile"

    def __post_init__(self) -> None:
        """Also: a command times programs from here."""
        super().__post_init__()
        check_threads(self.runtime, self.threads)
        if self.runtime.startswith(COMMAND) and (self.prepare or self.timings):
            flag = "--prepare" if self.prepare else "--timings"
            raise Mistake(
                f"{flag} is for a device that nothing here reaches, and --runtime {COMMAND}... "
                "reaches one; leave one of them out"
            )
        if self.runtime == "torch-compile" and (self.prepare or self.timings):
            raise Mistake(
                "--runtime torch-compile compiles networks where the clock is, which takes more "
                "than the one file that --prepare leaves; profile on the device itself"
            )
