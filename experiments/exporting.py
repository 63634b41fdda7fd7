"""A finished run's network in another format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from amc.export import save_onnx, save_torch
from amc.names import look_up
from amc.policy import Policy
from amc.pruning import prune
from experiments.config import ExportConfig, NetworkConfig
from experiments.networks import Setting, load_setting, load_state

Writer = Callable[[Path, Path], None]


def export(config: ExportConfig) -> str:
    """Write the file and say where it is.

    Raises:
        LookupError: for an unknown format.
        FileNotFoundError: if the folder holds no finished run.
        IsADirectoryError: if a folder stands where the file is to be.
        ImportError: if the format needs an extra that is not installed.
    """
    suffix, write = look_up(FORMATS, config.format, "format")
    run = Path(config.run)
    if not (run / "result.json").is_file():
        raise FileNotFoundError(f"no finished run in {run}; `amc search --out {run}` makes one")
    target = Path(config.out) if config.out else run / f"pruned{suffix}"
    if target.is_dir():
        raise IsADirectoryError(f"--out {target} is a folder; name the file to write")
    target.parent.mkdir(parents=True, exist_ok=True)
    write(run, target)
    return f"{config.format}: {target} ({target.stat().st_size:,} bytes)"


def load_pruned(run: Path) -> tuple[nn.Module, Setting, Policy]:
    """The smaller network of a run folder, with the setting that it was made in.

    Raises:
        FileNotFoundError: if something is missing.
        ValueError: if the weights do not fit.
    """
    settings = _saved_settings(run / "config.yaml")
    # Only the shapes are needed: the run's own weights replace all others.
    setting = load_setting(settings, trained=False)
    policy = Policy.load(run / "policy.json")
    network = setting.model
    if policy.granularity == "channel":
        # Any criterion gives the shapes; this one needs no images.
        network = prune(network, replace(policy, criterion="l1"), setting.example)
    load_state(network, run / "model.safetensors", f"{settings.model} cut by its policy")
    return network, setting, policy


def _saved_settings(path: Path) -> NetworkConfig:
    if not path.is_file():
        raise FileNotFoundError(f"no settings at {path}; `amc search` writes them")
    try:
        saved: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = {item.name for item in fields(NetworkConfig)}
        return NetworkConfig(**{name: value for name, value in saved.items() if name in names})
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        raise ValueError(f"{path}: not the settings of a run; `amc search` writes them") from None


def _write_onnx(run: Path, target: Path) -> None:
    network, setting, _ = load_pruned(run)
    save_onnx(network, setting.example, target)


def _write_torch(run: Path, target: Path) -> None:
    network, _, policy = load_pruned(run)
    save_torch(network, policy, target)


def _write_json(run: Path, target: Path) -> None:
    shutil.copyfile(run / "policy.json", target)


FORMATS: dict[str, tuple[str, Writer]] = {
    "onnx": (".onnx", _write_onnx),
    "torch": (".safetensors", _write_torch),
    "json": (".json", _write_json),
}
"""Short names, the ending of their files, and what writes them."""
