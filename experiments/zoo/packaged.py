"""Networks of other packages by short forms: timm:NAME, torchvision:NAME, transformers:FOLDER."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

Arguments = Mapping[str, Any]


def is_packaged(name: str) -> bool:
    """Whether a network is named by one of these short forms."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in PACKAGES


def packaged_network(name: str, arguments: Arguments) -> nn.Module:
    """The network of a short form, with random weights unless its arguments ask for others.

    Args:
        name: As on the command line.
        arguments: Handed to the package's own function.

    Raises:
        ImportError: if the package is not installed.
        LookupError: if it has no such network.
        ValueError: if the network cannot be made.
    """
    kind, _, rest = name.partition(":")
    try:
        package = import_module(kind)
    except ImportError:
        raise ImportError(
            f"--model {name} needs {kind}, which is not here; pip install {kind}"
        ) from None
    return PACKAGES[kind](package, rest, arguments)


def _timm(package: Any, name: str, arguments: Arguments) -> nn.Module:
    _check_name("timm", name, package.list_models())
    made: nn.Module = package.create_model(name, **{"pretrained": False, **arguments})
    return made


def _torchvision(package: Any, name: str, arguments: Arguments) -> nn.Module:
    models = import_module("torchvision.models")
    _check_name("torchvision", name, models.list_models())
    usual = {"weights": None, "weights_backbone": None}
    try:
        made: nn.Module = models.get_model(name, **{**usual, **arguments})
    except TypeError:  # Those without a backbone do not know its weights.
        made = models.get_model(name, **{"weights": None, **arguments})
    return made


def _transformers(package: Any, folder: str, arguments: Arguments) -> nn.Module:
    """The network that a folder's config.json names, with the folder's own safetensors."""
    path = Path(folder).expanduser()
    if not (path / "config.json").is_file():
        raise FileNotFoundError(
            f"--model transformers:{folder}: no config.json there; name a folder that "
            "save_pretrained() wrote"
        )
    config = package.AutoConfig.from_pretrained(path, local_files_only=True, **arguments)
    names = config.architectures or ["AutoModel"]
    kind = getattr(package, names[0], None)
    if kind is None:
        raise LookupError(
            f"--model transformers:{folder}: transformers {package.__version__} has no {names[0]}, "
            "which its config.json names"
        )
    made: nn.Module = kind.from_pretrained(
        path, config=config, local_files_only=True, use_safetensors=True
    )
    return made


def _check_name(package: str, name: str, known: list[str]) -> None:
    if name.partition(".")[0] in known:
        return
    near = get_close_matches(name, known, 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise LookupError(f"--model {package}:{name}: {package} has no such network{hint}")


PACKAGES: dict[str, Callable[[Any, str, Arguments], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "transformers": _transformers,
}
"""Short forms by their packages; a file of settings may name them, as they are no code of its."""
