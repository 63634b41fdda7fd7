"""States of networks in a run's folder, written whole, so that training goes on where it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from amc.finetuning import LOSSES
from amc.journal import State
from amc.weights import read_weights
from experiments.disk import write_durably

FOLDER = "checkpoints"
STRIDES = "strides"


class Checkpoints:
    """A folder with a file of safetensors for each name.

    Args:
        folder: Made with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Drop all."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors stored last under this name, strides included; None where there are none.

        Raises:
            ValueError: if the file is damaged.
        """
        path = self._file(name)
        if not path.is_file():
            return None
        try:
            state, metadata = read_weights(path)
            strides = json.loads(metadata[STRIDES])
            return {key: _with_strides(tensor, strides[key]) for key, tensor in state.items()}
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: damaged ({error}); begin the run anew with --overwrite"
            ) from None

    def save(self, name: str, state: State) -> None:
        """Store tensors whole, or leave those of before.

        Raises:
            OSError: if they cannot be written; names the file, and what to do.
        """
        path = self._file(name)
        strides = json.dumps({key: tensor.stride() for key, tensor in state.items()})
        plain = {key: _plain(tensor) for key, tensor in state.items()}
        try:
            self._folder.mkdir(exist_ok=True)
            write_durably(path, save(plain, {STRIDES: strides}))
        except (OSError, SafetensorError) as error:
            raise unwritable(path, error) from None

    def drop(self, name: str) -> None:
        """Drop the tensors of this name, which nothing needs any more."""
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '-')}.safetensors"


def steps_trained(folder: Path) -> int:
    """Gradient steps that the checkpoints in a run's folder have come to, without their weights."""
    return sum(_steps(path) for path in (folder / FOLDER).glob("*.safetensors"))


def _steps(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return int(file.get_slice(LOSSES).get_shape()[0])
    except (OSError, SafetensorError):
        return 0  # Of no training; or damaged, which whoever reads it whole says.


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _with_strides(tensor: Tensor, strides: list[int]) -> Tensor:
    """The same numbers in the layout that they had: sums in another order differ in last bits."""
    laid_out = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype)
    return laid_out.copy_(tensor)


def unwritable(path: Path, error: Exception) -> OSError:
    """What to raise where a file of a run cannot be written, with what to do."""
    reason = getattr(error, "strerror", None) or str(error)
    return OSError(
        f"{path}: cannot be written ({reason}); make room or mend that, and the same command goes "
        "on from what is finished"
    )
