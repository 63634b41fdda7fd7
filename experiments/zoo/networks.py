"""From names on the command line to a trained network on a data set."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import device_of
from amc.modules import Inputs, changed
from amc.tasks import Classification, Task
from amc.weights import read_weights, set_weights
from experiments.disk import memory_bytes
from experiments.settings import DEVICES, NetworkSettings, import_named, is_device
from experiments.zoo.datasets import ImageDataset, Splits, load_dataset
from experiments.zoo.models import build_model

WEIGHTS = Path(__file__).parent / "weights"


COPIES = 8
"""Of a network's weights that work with it takes: gradients, momentum, a candidate, moments."""


@dataclass(frozen=True)
class Workload:
    """A network with the task that it is pruned for.

    Args:
        model: In evaluation mode.
        task: What it is scored by, on which data.
        example: Inputs for tracing: of images (1, channels, height, width).
        dataset: The images, of a data set of the command line's; None of a task of the user's own.
        parted: Its training, held-out and test images; the same.
    """

    model: nn.Module
    task: Task
    example: Inputs
    dataset: ImageDataset | None = None
    parted: Splits | None = None

    @property
    def splits(self) -> Splits:
        """Training, held-out and test images.

        Raises:
            ValueError: if the data are none of the command line's data sets.
        """
        if self.parted is None:
            raise ValueError("this needs a data set of images; give --dataset in place of --task")
        return self.parted

    @property
    def sample(self) -> Tensor:
        """The example of a network that takes one tensor.

        Raises:
            ValueError: if it takes anything else, which latency and ONNX do not know yet.
        """
        example = self.example
        alone = example[0] if isinstance(example, tuple) and len(example) == 1 else example
        if not isinstance(alone, Tensor):
            raise ValueError(
                "latency and ONNX are for networks that take one tensor so far, and this one takes "
                f"{'names' if isinstance(alone, Mapping) else 'several'}; leave them out"
            )
        return alone

    @property
    def device(self) -> str:
        """Where the network computes."""
        return str(device_of(self.model))

    @property
    def on_processor(self) -> Workload:
        """The same with the network on the processor, where runtimes are timed."""
        if self.device == "cpu":
            return self
        example = changed(self.example, lambda one: one.cpu())
        return replace(self, model=copy.deepcopy(self.model).cpu(), example=example)

    @property
    def augmentation(self) -> dict[str, Any]:
        """Random shifts and flips that keep the meaning of these images."""
        return {} if self.dataset is None else augmentation(self.dataset.name)


def augmentation(dataset: str) -> dict[str, Any]:
    """Shifts and flips for training on a data set; a mirrored digit is another sign."""
    return {"shift": 1, "flip": False} if dataset == "digits" else {"shift": 2, "flip": True}


def load_workload(
    config: NetworkSettings, *, trained: bool = True, device: str = "cpu"
) -> Workload:
    """Load the data set and build the network, with its weights if `trained`.

    Args:
        config: Which network, on which images.
        trained: Whether it has its weights.
        device: Where it shall compute; images stay in the processor's memory.

    Raises:
        LookupError: for a name that is not known.
        FileNotFoundError: for a data set or checkpoint that is not there.
        ValueError: for a checkpoint that does not fit the network, a network that does not fit the
            images, or a device that is not there.
    """
    check_device(device)
    dataset = load_dataset(config.dataset)
    _check_size(config, dataset)
    torch.manual_seed(config.seed)
    model = _build(config, dataset).eval()
    if trained:
        _load_weights(model, config)
    model = model.to(device)
    splits = dataset.splits()
    example = splits.train.floats(slice(0, 1)).to(device)
    _check_fit(model, config, example, len(dataset.classes))
    task = Classification(splits.train, splits.holdout, splits.test)
    return Workload(model, task, example, dataset, splits)


def check_device(name: str) -> None:
    """Refuse a GPU that is not there.

    Raises:
        ValueError: naming what there is.
    """
    if not is_device(name):
        raise ValueError(f"--device is {name}; it must be {DEVICES}")
    there = torch.cuda.device_count()
    if name == "cpu" or (torch.device(name).index or 0) < there:
        return
    if there:
        numbers = ", ".join(f"cuda:{number}" for number in range(there))
        raise ValueError(f"--device is {name}, but PyTorch sees {numbers} only; name one of them")
    raise ValueError(
        f"--device is {name}, but PyTorch {torch.__version__} sees no NVIDIA GPU here; install a "
        "build of it that knows yours (pytorch.org), or take --device cpu"
    )


def shipped_weights(model: str, dataset: str, width: float) -> Path | None:
    """Weights of the zoo that come with the project."""
    path = WEIGHTS / f"{model}-{width:g}-{dataset}.safetensors"
    return path if path.is_file() else None


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors of a state dict; nothing in the file is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither safetensors nor a plain state dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; `amc train` writes model.safetensors")
    if path.suffix == ".safetensors":
        return read_weights(path)[0]
    try:
        with warnings.catch_warnings():
            # It warns of the very files that it then refuses.
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}: cannot be read as plain tensors ({type(error).__name__}), and pickles, which "
            "can run any code, are not read; where you trust the file, load it with torch yourself "
            "and save the network's state_dict() with safetensors.torch.save_file"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"{path}: not a state dict; save the network's state_dict()")
    return state


def _check_size(config: NetworkSettings, dataset: ImageDataset) -> None:
    """Refuse a network of the zoo whose width is more than this machine can work with."""
    memory = memory_bytes()
    if ":" in config.model or memory is None:
        return
    with torch.device("meta"):
        model = build_model(config.model, dataset.channels, len(dataset.classes), config.width)
    size = 4 * sum(weights.numel() for weights in model.parameters())
    if size * COPIES > memory:
        raise ValueError(
            f"{config.model} of --width {config.width:g} takes {size / 1e9:.1f} GB, and work with "
            f"it {COPIES} times as much, which this machine's {memory / 1e9:.0f} GB of memory do "
            "not hold; give a smaller width"
        )


def _build(config: NetworkSettings, dataset: ImageDataset) -> nn.Module:
    if ":" not in config.model:
        return build_model(config.model, dataset.channels, len(dataset.classes), config.width)
    built = import_named(config.model, "model")
    try:
        if callable(built) and not isinstance(built, nn.Module):
            built = built()
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"model {config.model!r} cannot be made ({first_line(error)}); "
            "it must be a function without arguments that returns a torch.nn.Module"
        ) from error
    if not isinstance(built, nn.Module):
        raise ValueError(
            f"model {config.model!r} gave {type(built).__name__}; "
            "it must be a function without arguments that returns a torch.nn.Module"
        )
    if config.width != 1:
        raise ValueError(
            f"--width is {config.width:g}, but only networks of the zoo can be scaled; "
            f"leave it out for {config.model}"
        )
    return built


def _check_fit(model: nn.Module, config: NetworkSettings, example: Tensor, classes: int) -> None:
    """One forward pass now, so that what does not fit is refused before any work."""
    shape = " x ".join(map(str, example.shape[1:]))
    try:
        with torch.no_grad():
            logits, again = model(example), model(example)
            two = model(torch.cat([example, example]))
    except Exception as error:
        raise ValueError(
            f"model {config.model} fails on the {shape} images of {config.dataset} "
            f"({first_line(error)}); it must take a batch of them, of any size, in evaluation mode"
        ) from error
    if not isinstance(logits, Tensor) or logits.dim() != 2 or logits.shape[1] < classes:
        gave = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"model {config.model} gives {gave} for one image of {config.dataset}; "
            f"it must give (1, {classes}) logits"
        )
    if not isinstance(two, Tensor) or two.shape != (2, logits.shape[1]):
        gave = tuple(two.shape) if isinstance(two, Tensor) else type(two).__name__
        raise ValueError(
            f"model {config.model} gives {gave} for two images of {config.dataset} at once; "
            f"it must give (2, {logits.shape[1]}) logits"
        )
    if not logits.isfinite().all():
        raise ValueError(
            f"model {config.model} answers with numbers that are not finite; train it again, or "
            "name other weights with --weights"
        )
    if not torch.allclose(logits, again, rtol=1e-3, atol=1e-4):
        raise ValueError(
            f"model {config.model} gives two answers for one image, so that nothing about it can "
            "be measured; let nothing in it be random in evaluation mode (as nn.Dropout does)"
        )


def first_line(error: BaseException) -> str:
    """What an error says, without the details below."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip()


def checkpoint(config: NetworkSettings) -> Path | None:
    """The file of the network's weights: the one named, or what comes with the project, if any."""
    if config.weights:
        return Path(config.weights)
    return shipped_weights(config.model, config.dataset, config.width)


def _load_weights(model: nn.Module, config: NetworkSettings) -> None:
    path = checkpoint(config)
    if path is None and ":" in config.model:
        return
    if path is None:
        raise FileNotFoundError(
            f"no weights come with {config.model} of width {config.width:g} on {config.dataset}; "
            f"train it with `amc train --model {config.model} --dataset {config.dataset} "
            f"--width {config.width:g}` and name the file with --weights"
        )
    set_weights(model, read_checkpoint(path), path, f"{config.model} of width {config.width:g}")
