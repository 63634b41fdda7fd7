"""From names on the command line to a trained network on a data set."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import device_of
from amc.modules import Inputs, changed
from amc.tasks import Classification, Task
from experiments.settings import DEVICES, NetworkSettings, is_device
from experiments.zoo.building import build_network, check_size, first_line
from experiments.zoo.datasets import ImageDataset, Splits, load_dataset
from experiments.zoo.own_tasks import load_task, suited


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
            ValueError: if it takes anything else, which ONNX files do not know yet.
        """
        example = self.example
        alone = example[0] if isinstance(example, tuple) and len(example) == 1 else example
        if not isinstance(alone, Tensor):
            raise ValueError(
                "ONNX files are for networks that take one tensor so far, and this one takes "
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
    """Load the data and build the network, with its weights if `trained`.

    Args:
        config: Which network, for which task.
        trained: Whether it has its weights.
        device: Where it shall compute; images stay in the processor's memory.

    Raises:
        LookupError: for a name that is not known.
        ImportError: for a network of a package that is not installed.
        FileNotFoundError: for a data set or checkpoint that is not there.
        ValueError: for a checkpoint that does not fit the network, a network that does not fit the
            images, or a device that is not there.
    """
    check_device(device)
    if config.task is not None:
        return _of_task(config, config.task, trained, device)
    dataset = load_dataset(config.dataset)
    check_size(config, dataset)
    model = build_network(config, dataset, trained, device)
    splits = dataset.splits()
    example: Tensor = splits.train.batch(slice(0, 1), device)[0]
    _check_fit(model, config, example, len(dataset.classes))
    task = Classification(splits.train, splits.holdout, splits.test)
    return Workload(model, task, example, dataset, splits)


def _of_task(config: NetworkSettings, name: str, trained: bool, device: str) -> Workload:
    """The workload of a task of the user's own."""
    task, example = load_task(name)
    if ":" not in config.model:
        raise ValueError(
            f"--model {config.model} is a network for the images of a --dataset; for --task name "
            "one of your own as package.module:function, or of a package as timm:NAME"
        )
    model = build_network(config, None, trained, device)
    return Workload(model, *suited(task, model, example, config.model))


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
