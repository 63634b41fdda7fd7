"""A finished run's network in another format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from amc import export as formats
from amc.costs.latency import LatencyTable, LatencyTableError
from amc.parsing import look_up
from amc.policy import Policy
from amc.pruning import decisions, kept_counts
from amc.tasks import first_batch
from experiments.disk import file_to_write, read_yaml, run_at, write_whole
from experiments.latency import Gain, device
from experiments.runs import RunResult
from experiments.settings import ExportSettings, NetworkSettings, check_network, flat, from_flat
from experiments.zoo import Workload, checkpoint, load_workload

PROVED_ON = 128
"""Held-out images that an ONNX file has to answer as the network does."""


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Args:
        config: As asked for.
        run: Folder of the run.
        policy: Of the run.
        target: File to write.
        console: Where to tell what else there is to say.
    """

    config: ExportSettings
    run: Path
    policy: Policy
    target: Path
    console: Console


Writer = Callable[[Order], None]


def run(config: ExportSettings, console: Console) -> None:
    """What `amc export` does."""
    export(config, console)


def export(config: ExportSettings, console: Console) -> None:
    """Write the file and say where it is.

    Raises:
        LookupError: for an unknown format.
        FileNotFoundError: if the folder holds no finished run, or the unpruned network is gone.
        IsADirectoryError: if a folder stands where the file is to be.
        FileExistsError: if that is a file which the run keeps itself.
        ImportError: if the format needs an extra that is not installed.
        ValueError: if the run cannot be written so.
    """
    suffix, write = look_up(FORMATS, config.format, "format")
    run = run_at(config.run)
    if not (run / "result.json").is_file():
        raise FileNotFoundError(f"no finished run in {run}; `amc search --out {run}` makes one")
    target = file_to_write(config.out or run / f"pruned{suffix}")
    policy = Policy.load(run / "policy.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    write(Order(config, run, policy, target, console))
    told = f"{config.format}: {target} ({target.stat().st_size:,} bytes)"
    console.print(told, soft_wrap=True)


def load_pruned(
    run: Path, workload: Workload | None = None, typed: Mapping[str, Any] | None = None
) -> tuple[nn.Module, Workload, Policy]:
    """The smaller network of a run folder, with the workload that it was made in.

    Args:
        run: The folder.
        workload: What is loaded of it already.
        typed: The model and data set, where they are code that may be imported.

    Raises:
        FileNotFoundError: if something is missing.
        ValueError: if the weights do not fit.
    """
    # Only the shapes are needed: the run's own weights replace all others.
    workload = workload or load_workload(settings_of(run, typed or {}), trained=False)
    policy = Policy.load(run / "policy.json")
    weights = run / "model.safetensors"
    network = formats.load_pruned(workload.model, workload.example, weights, policy)
    return network, workload, policy


def settings_of(run: Path, typed: Mapping[str, Any]) -> NetworkSettings:
    """Which network a run is of.

    Args:
        run: The folder.
        typed: The model and data set, as far as a person names them.

    Raises:
        FileNotFoundError: if they are missing.
        ValueError: if they are none, or name other ones or code that the person does not name.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no settings at {path}; `amc search` writes them")
    try:
        saved = _network(read_yaml(path))
    except ValueError as error:
        raise ValueError(
            f"{path}: not the settings of a run ({error}); run it again with --overwrite"
        ) from None
    check_network(flat(saved), typed, run, path)
    return saved


def _network(named: Any) -> NetworkSettings:
    if not isinstance(named, dict):
        raise ValueError("it must be named values")
    return from_flat(NetworkSettings, named, others=True)


def _write_onnx(order: Order) -> None:
    """The pruned network; beside it, where asked for, the unpruned one and what was gained."""
    from experiments.latency import write_proved

    if order.config.measure:
        _write_both(order)
    else:
        network, workload, _ = load_pruned(order.run, typed=flat(order.config))
        write_proved(network, _proving_inputs(workload), order.target)


def _write_both(order: Order) -> None:
    from experiments.latency import time_files, write_proved

    config, files = order.config, (order.target.with_name("unpruned.onnx"), order.target)
    if order.target == files[0]:
        raise ValueError(
            f"--out {order.target}: the unpruned network is written there; name another file"
        )
    result = RunResult.load(order.run / "result.json")
    workload = _trained_workload(order)
    network, *_ = load_pruned(order.run, workload)
    images = _proving_inputs(workload)
    worst = [
        write_proved(model, images, path)
        for model, path in zip((workload.model, network), files, strict=True)
    ]
    batch, threads = latency_terms(order, result)
    inputs = images[torch.arange(batch) % len(images)]
    times = time_files(files, inputs, threads, config.measure)
    where = {**device("onnxruntime", threads), "batch": batch}
    found = Gain.of(files, result.costs, times, max(worst), where)
    found.save(order.target.with_name("export.json"))
    order.console.print(found.table())
    order.console.print(found.notes(), soft_wrap=True)


def latency_terms(order: Order, result: RunResult) -> tuple[int, int]:
    """Batch size and threads: those of the run's latency table, where it has one."""
    path, batch, threads = result.config.get("latency"), 1, 1
    try:
        if path:
            table = LatencyTable.load(str(path)).device
            batch, threads = table.batch, table.threads
    except (OSError, LatencyTableError):
        told = f"the run's latency table cannot be read at {path} any more; timed at batch 1"
        order.console.print(told, soft_wrap=True)
    return batch, order.config.threads or threads


def _trained_workload(order: Order) -> Workload:
    """The workload of a run, with the network as it was before.

    Raises:
        FileNotFoundError: if its weights are gone.
    """
    settings = settings_of(order.run, flat(order.config))
    settings = replace(settings, weights=order.config.weights or settings.weights)
    path = checkpoint(settings)
    if path is not None and not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}, and unpruned.onnx needs them; name the checkpoint with "
            "--weights, or write the pruned network alone with --measure 0"
        )
    return load_workload(settings)


def _proving_inputs(workload: Workload) -> Tensor:
    """What an ONNX file is held against the network on."""
    task = workload.task
    data = task.some_data
    batch = None if data is None else first_batch(data, PROVED_ON)
    inputs = workload.example if batch is None else task.inputs(batch)
    inputs = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs
    if not isinstance(inputs, Tensor):
        raise ValueError(
            "export: ONNX files are written of networks that take one tensor so far; take "
            "--format torch"
        )
    return inputs


def _write_torch(order: Order) -> None:
    network, *_ = load_pruned(order.run, typed=flat(order.config))
    formats.save_pruned(network, order.policy, order.target)


def _write_torch_pruning(order: Order) -> None:
    saved = settings_of(order.run, flat(order.config))
    policy, workload = order.policy, load_workload(saved, trained=False)
    graph = decisions(workload.model, workload.example, policy.granularity, policy.exclude)
    ratios = formats.channel_ratios(graph, kept_counts(policy, graph))
    write_whole(order.target, json.dumps(ratios, indent=1) + "\n")
    heads = [group.name for group in graph.groups if group.layers[0] not in ratios]
    if heads:
        told = f"left out, as they are heads and torch-pruning counts those: {', '.join(heads)}"
        order.console.print(told, soft_wrap=True)


def _write_json(order: Order) -> None:
    shutil.copyfile(order.run / "policy.json", order.target)


FORMATS: dict[str, tuple[str, Writer]] = {
    "onnx": (".onnx", _write_onnx),
    "torch": (".safetensors", _write_torch),
    "torch-pruning": (".torch-pruning.json", _write_torch_pruning),
    "json": (".json", _write_json),
}
"""Short names, the ending of their files, and what writes them."""
