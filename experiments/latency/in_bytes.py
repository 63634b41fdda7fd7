"""What a network is worth in 8-bit integers, where that is how its time is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import evaluating
from amc.evaluation import score
from amc.export import save_onnx
from amc.modules import tensors
from amc.tasks import Task, batches, few
from experiments.latency.onnx_files import session
from experiments.runs import Scores

SAMPLES = 512
"""Of the task's calibration data, that tell the ranges of activations."""

BATCH = 64


class InBytesError(ValueError):
    """A network whose score in 8-bit integers cannot be told."""


class InBytes(nn.Module):
    """A network as onnxruntime runs it in 8-bit integers, on the processor.

    Args:
        path: Of its file, whose one input has a batch of any size.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._session = session(path)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, ...) to what the network answers."""
        (made,) = self._session.run(None, {"input": images.numpy()})
        return torch.from_numpy(made)


def scores_in_bytes(network: nn.Module, example: Any, task: Task) -> Scores:
    """The score of a network after onnxruntime's static quantisation.

    Args:
        network: In 32-bit floats, on the processor; left as it is.
        example: Its inputs.
        task: With calibration data, whose first `SAMPLES` tell the ranges of activations.

    Raises:
        ImportError: without the extra `onnx`.
        InBytesError: for a network of several inputs or outputs, or a task without such data.
    """
    alone = example[0] if isinstance(example, tuple) and len(example) == 1 else example
    with evaluating(network), torch.no_grad():
        simple = isinstance(alone, Tensor) and isinstance(network(alone), Tensor)
    if not simple:
        raise InBytesError("it takes or gives more than one tensor")
    if task.data_loader is None and task.train_loader is None:
        raise InBytesError("the task has no calibration data")
    import onnx

    from experiments.latency.profiling.quantising import quantised

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        save_onnx(network, alone, path)
        path.write_bytes(quantised(onnx.load(path), _samples(task)))
        made = InBytes(path)
        return Scores(score(made, task), score(made, task, test=True) if task.tests else None)


def _samples(task: Task) -> Iterator[dict[str, Any]]:
    data = task.train_loader if task.data_loader is None else task.data_loader
    assert data is not None
    for batch in batches(few(data, SAMPLES), BATCH):
        inputs = task.inputs(batch)
        (alone,) = tensors(inputs)
        yield {"input": alone.numpy()}
