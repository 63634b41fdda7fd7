"""Networks as ONNX files: proved on real inputs, and timed against each other in onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.export import save_onnx
from amc.modules import tensors
from experiments.latency import clock
from experiments.terminal import count

TOLERANCE = 1e-4
"""Largest difference that a number of onnxruntime may have from PyTorch's, as a part of the largest
of its output, where that is above 1."""

BATCHES = (1, 64)
"""Batch sizes at which a file is proved: it must take any."""


def write_proved(network: nn.Module, images: Tensor, path: Path) -> float:
    """Write an ONNX file, if it answers as the network does at each of `BATCHES`.

    Args:
        network: In evaluation mode.
        images: (samples, ...) real ones.
        path: File to write; where the proof fails it is left as it was.

    Returns:
        The largest difference of a number in its outputs.

    Raises:
        ImportError: if the extra `onnx` is not installed.
        ValueError: if one differs by more than `TOLERANCE`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_onnx(network, images[:1], temporary)
        difference = largest_difference(network, images, temporary)
        # A NaN is no small difference either.
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{path} was not written: on {count(len(images), 'sample')} onnxruntime's answers "
                f"differ from PyTorch's by up to {difference:.2g}, and {TOLERANCE:g} is allowed; "
                "look for an operation that the two compute differently"
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def largest_difference(network: nn.Module, images: Tensor, path: Path) -> float:
    """Between a network's outputs and its file's, at each of `BATCHES`; NaN where one is."""
    run = session(path)
    with torch.no_grad():
        wanted = [one.numpy() for one in tensors(network(images))]
    apart = [
        np.max(np.abs(found - right)) / max(1.0, np.max(np.abs(right)))
        for batch in BATCHES
        for found, right in zip(_outputs(run, images, batch), wanted, strict=True)
        if right.size
    ]
    return float(np.max(apart))


def _outputs(run: Any, images: Tensor, batch: int) -> list[NDArray[Any]]:
    """Those of all parts together, in order."""
    parts = [run.run(None, {"input": part.numpy()}) for part in torch.split(images, batch)]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def time_files(
    paths: Sequence[Path], images: Tensor, threads: int, seconds: float
) -> list[clock.Rounds]:
    """Seconds that a pass of each file takes, measured in turns (`clock.take_turns`).

    Args:
        paths: ONNX files.
        images: (batch, ...) of a pass.
        threads: Of onnxruntime.
        seconds: To spend.
    """
    inputs = {"input": images.numpy()}
    calls = [partial(session(path, threads).run, None, inputs) for path in paths]
    return clock.take_turns(calls, seconds)


def session(path: Path, threads: int = 1) -> Any:
    """A file ready to run on the processor, by that many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads of another file would spin, and take a core from this one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
