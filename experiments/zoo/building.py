"""A network by its name on the command line, and the weights that it has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from amc.weights import read_weights, set_weights
from experiments.disk import memory_bytes
from experiments.settings import NetworkSettings, import_named
from experiments.zoo.image_dataset import ImageDataset
from experiments.zoo.models import build_model
from experiments.zoo.packaged import is_packaged, packaged_network

WEIGHTS = Path(__file__).parent / "weights"


COPIES = 8
"""Of a network's weights that work with it takes: gradients, momentum, a candidate, moments."""


def build_network(
    config: NetworkSettings, dataset: ImageDataset | None, trained: bool, device: str
) -> nn.Module:
    """The network that settings name, in evaluation mode, with its weights if `trained`.

    Args:
        config: Which network.
        dataset: The images that it classifies; None of a task of the user's own.
        trained: Whether it has its weights.
        device: Where it shall compute.

    Raises:
        LookupError: for a name that is not known.
        ImportError: for a network of a package that is not installed.
        FileNotFoundError: for a checkpoint that is not there.
        ValueError: for one that does not fit, or a network that cannot be made.
    """
    torch.manual_seed(config.seed)
    model = _build(config, dataset).eval()
    if trained:
        _load_weights(model, config)
    return model.to(device)


def shipped_weights(model: str, dataset: str, width: float) -> Path | None:
    """Weights of the zoo that come with the project."""
    path = WEIGHTS / f"{model}-{width:g}-{dataset}.safetensors"
    return path if path.is_file() else None


def checkpoint(config: NetworkSettings) -> Path | None:
    """The file of the network's weights: the one named, or what comes with the project, if any."""
    if config.weights:
        return Path(config.weights)
    return shipped_weights(config.model, config.dataset, config.width)


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


def check_size(config: NetworkSettings, dataset: ImageDataset) -> None:
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


def _build(config: NetworkSettings, dataset: ImageDataset | None) -> nn.Module:
    if ":" not in config.model:
        assert dataset is not None
        return build_model(config.model, dataset.channels, len(dataset.classes), config.width)
    built = _named(config)
    if not isinstance(built, nn.Module):
        raise ValueError(
            f"model {config.model!r} gave {type(built).__name__}; "
            f"it must be a function {_taking(config)} that returns a torch.nn.Module"
        )
    if config.width != 1:
        raise ValueError(
            f"--width is {config.width:g}, but only networks of the zoo can be scaled; "
            f"leave it out for {config.model}"
        )
    return built


def _named(config: NetworkSettings) -> object:
    """What a package, or code of the user's own, makes of the name and its arguments."""
    packaged = is_packaged(config.model)
    own = packaged_network if packaged else import_named(config.model, "model")
    if not callable(own) or isinstance(own, nn.Module):
        return own
    if not packaged:
        _check_arguments(own, config)
    try:
        return own(config.model, config.arguments) if packaged else own(**config.arguments)
    except (Exception, SystemExit) as error:
        if packaged and isinstance(error, ImportError | LookupError | FileNotFoundError):
            raise  # It says what is not there.
        raise ValueError(
            f"model {config.model!r} cannot be made ({first_line(error)}); it must be a function "
            f"{_taking(config)} that returns a torch.nn.Module"
        ) from error


def _check_arguments(function: Callable[..., object], config: NetworkSettings) -> None:
    """Refuse what is of another plain type than the function says it takes.

    Raises:
        ValueError: naming the first such argument.
    """
    try:
        wanted = get_type_hints(function)
    except Exception:  # Names that only a type checker imports.
        return
    for name, value in config.arguments.items():
        kind: Any = wanted.get(name)
        taken = (int, float) if kind is float else kind
        if kind in (bool, int, float, str) and not isinstance(value, taken):
            raise ValueError(
                f"--model-args: {name} is {value!r}, and {config.model} takes {kind.__name__} there"
            )


def _taking(config: NetworkSettings) -> str:
    named = ", ".join(config.arguments)
    return f"that takes {named} and" if named else "without arguments"


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


def first_line(error: BaseException) -> str:
    """What an error says, without the details below."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
