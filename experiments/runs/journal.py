"""The journal of a run: a file of finished work that only grows, and checkpoints beside it.

`journal.jsonl` has one line of JSON for each piece of finished work, with its checksum, on the disk
before the work goes on. The first line is the header: the settings, and checksums of weights,
images and files that the run reads. A last line that was cut short, by a crash or a full disk, is
dropped; what it told is done again. `checkpoints/` has states of networks as safetensors, written
whole.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import torch
from annotated_types import Interval
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from amc.finetuning import LOSSES
from amc.journal import State
from amc.parsing import Amount, Count, Positive, Share, read_json, read_record
from amc.weights import read_weights
from experiments.disk import lock, write_durably

JOURNAL_FILE = "journal.jsonl"
FOLDER = "checkpoints"
VERSION = 2
READ_VERSIONS = (1, 2)
HEADER = "header"
STRIDES = "strides"
START = b'{"crc32": '
"""Of every line."""


@dataclass(frozen=True)
class Evaluated:
    """A note of an evaluation; an accuracy that was estimated can be below 0 (`amc.evaluation`)."""

    accuracy: Annotated[float, Interval(ge=-1, le=1)]
    seconds: Amount
    seen: Count | None = None


@dataclass(frozen=True)
class Proposed:
    """A note of a proposal of NetAdapt."""

    accuracy: Share
    seconds: Amount
    diverged: bool


@dataclass(frozen=True)
class OnDevice:
    """A note of a network that was measured on the device."""

    cost: Positive


KINDS = {"evaluation": Evaluated, "proposal": Proposed, "measured": OnDevice}
"""What notes hold, by the first word of their names; others hold anything."""


class RunJournal:
    """The journal of one run folder, which no other process can open meanwhile.

    Args:
        folder: Of the run; it is there already.
        anew: Take whatever stands in the file for nothing.

    Attributes:
        damaged: Lines in the middle that are not what was written; their work is done again.

    Raises:
        OSError: if the folder cannot be written to.
        ValueError: if another process works there, or the file is no journal of this release.
    """

    def __init__(self, folder: Path, *, anew: bool = False) -> None:
        self.folder, self.path = folder, folder / JOURNAL_FILE
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        if not lock(self._file):
            self._file.close()
            raise ValueError(
                f"another process is at work in {folder}; wait until it has ended, or name another "
                "folder with --out"
            )
        try:
            self._notes, self.damaged = ({}, 0) if anew else self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> RunJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def header(self) -> Mapping[str, Any] | None:
        """What the run was begun with; None where it was not."""
        return self._notes.get(HEADER)

    def count(self, kind: str) -> int:
        """Notes whose name begins with this word."""
        return sum(name.partition(" ")[0] == kind for name in self._notes)

    def begin(self, header: Mapping[str, Any]) -> None:
        """Start anew with this header; whatever was noted before is gone."""
        self._file.truncate(0)
        self._notes, self.damaged = {}, 0
        self.tidy()
        self.note(HEADER, {"version": VERSION, **header})

    def tidy(self) -> None:
        """Drop all checkpoints."""
        shutil.rmtree(self.folder / FOLDER, ignore_errors=True)

    def recall(self, name: str) -> Mapping[str, Any] | None:
        """What was noted under this name; None where nothing was."""
        return self._notes.get(name)

    def note(self, name: str, found: Mapping[str, Any]) -> None:
        """Add a line, which is on the disk when this returns.

        Raises:
            OSError: if it cannot be written; names the file, and what to do.
        """
        line = _line({"name": name, **found})
        try:
            # A full disk takes a part of it, and refuses the rest.
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _full(self.path, error) from None
        self._notes[name] = dict(found)

    def recall_state(self, name: str) -> dict[str, Tensor] | None:
        """The tensors stored last under this name, strides included; None where there are none.

        Raises:
            ValueError: if the file is damaged.
        """
        path = self._checkpoint(name)
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

    def note_state(self, name: str, state: State) -> None:
        """Store tensors whole, or leave those of before.

        Raises:
            OSError: if they cannot be written; names the file, and what to do.
        """
        path = self._checkpoint(name)
        strides = json.dumps({key: tensor.stride() for key, tensor in state.items()})
        plain = {key: _plain(tensor) for key, tensor in state.items()}
        try:
            path.parent.mkdir(exist_ok=True)
            write_durably(path, save(plain, {STRIDES: strides}))
        except (OSError, SafetensorError) as error:
            raise _full(path, error) from None

    def forget_state(self, name: str) -> None:
        """Drop the tensors of this name, which nothing needs any more."""
        self._checkpoint(name).unlink(missing_ok=True)

    def _checkpoint(self, name: str) -> Path:
        return self.folder / FOLDER / f"{name.replace(' ', '-')}.safetensors"

    def _read(self) -> tuple[dict[str, dict[str, Any]], int]:
        """Notes by name, and how many lines were damaged; the file then ends with a whole line."""
        self._file.seek(0)
        data = self._file.read()
        records, end = _records(data, self.path)
        if end < len(data):
            self._file.truncate(end)
        notes = {one.pop("name"): one for one in records if one is not None}
        return notes, records.count(None)


def names_in(path: Path) -> list[str]:
    """Names of the notes in a journal that may be in use; empty without the file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no journal of this release.
    """
    if not path.is_file():
        return []
    records, _ = _records(path.read_bytes(), path)
    return [str(one["name"]) for one in records if one is not None]


def _records(data: bytes, path: Path) -> tuple[list[dict[str, Any] | None], int]:
    """What each line tells, None where it is damaged, down to the last whole one; its end."""
    *lines, rest = data.split(b"\n")
    records = [_record(line) for line in lines]
    first = records[0] if records else None
    torn = not lines and START.startswith(rest[: len(START)])
    if not torn and (first is None or first.get("version") not in READ_VERSIONS):
        raise ValueError(
            f"{path}: not a journal that this release can go on with; name another folder "
            "with --out, or begin anew in this one with --overwrite"
        )
    while records and records[-1] is None:  # Of a crash that wrote blocks in another order.
        records.pop()
    return records, sum(len(line) + 1 for line in lines[: len(records)])


def steps_trained(folder: Path) -> int:
    """Gradient steps that the checkpoints in a run's folder have come to, without their weights."""
    return sum(_steps(path) for path in (folder / FOLDER).glob("*.safetensors"))


def _steps(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return int(file.get_slice(LOSSES).get_shape()[0])
    except (OSError, SafetensorError):
        return 0  # Of no training; or damaged, which whoever reads it whole says.


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, sort_keys=True).encode()
    return START + b'"%08x", "record": %b}\n' % (zlib.crc32(text), text)


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line tells; None where it is not what is written."""
    try:
        found = read_json(line)["record"]
        whole = _line(found) == line + b"\n"
        name = found["name"]
        if not whole or not isinstance(name, str):
            return None
        if kind := KINDS.get(name.partition(" ")[0]):
            read_record(kind, {key: value for key, value in found.items() if key != "name"}, name)
    except (KeyError, TypeError, ValueError):
        return None
    return dict(found)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _with_strides(tensor: Tensor, strides: list[int]) -> Tensor:
    """The same numbers in the layout that they had: sums in another order differ in last bits."""
    laid_out = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype)
    return laid_out.copy_(tensor)


def _full(path: Path, error: Exception) -> OSError:
    reason = getattr(error, "strerror", None) or str(error)
    return OSError(
        f"{path}: cannot be written ({reason}); make room or mend that, and the same command goes "
        "on from what is finished"
    )
