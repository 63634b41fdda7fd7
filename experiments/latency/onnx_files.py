"""Networks as ONNX files: proved on real images, and timed against each other in onnxruntime."""

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
from experiments.latency import clock
from experiments.terminal import count

TOLERANCE = 1e-4
"""Largest difference that a logit of onnxruntime may have from PyTorch's."""

BATCHES = (1, 64)
"""Batch sizes at which a file is proved: it must take any."""


def write_proved(network: nn.Module, images: Tensor, path: Path) -> float:
    """Write an ONNX file, if it answers as the network does at each of `BATCHES`.

    Args:
        network: In evaluation mode.
        images: (samples, ...) real ones.
        path: File to write; where the proof fails it is left as it was.

    Returns:
        The largest difference of a logit.

    Raises:
        ImportError: if the extra `onnx` is not installed.
        ValueError: if a logit differs by more than `TOLERANCE`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_onnx(network, images[:1], temporary)
        difference = largest_difference(network, images, temporary)
        # A NaN is no small difference either.
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{path} was not written: on {count(len(images), 'image')} onnxruntime's logits "
                f"differ from PyTorch's by up to {difference:.2g}, and {TOLERANCE:g} is allowed; "
                "look for an operation that the two compute differently"
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def largest_difference(network: nn.Module, images: Tensor, path: Path) -> float:
    """Between a network's logits and its file's, at each of `BATCHES`; NaN where one is."""
    run = session(path)
    with torch.no_grad():
        wanted = network(images).numpy()
    return float(np.max([np.abs(_logits(run, images, batch) - wanted) for batch in BATCHES]))


def _logits(run: Any, images: Tensor, batch: int) -> NDArray[np.float32]:
    return np.concatenate(
        [run.run(None, {"input": part.numpy()})[0] for part in torch.split(images, batch)]
    )


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
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
