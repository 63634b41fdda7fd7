"""The journal of a run: a file of finished work that only grows.

`journal.jsonl` has one line of JSON for each entry, with its checksum, on the disk before the work
goes on. The first line is the header: the settings, and checksums of weights,
images and files that the run reads. A last line that was cut short, by a crash or a full disk, is
dropped; what it told is done again. States of networks are in `checkpoints/` beside it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from amc.history import DeviceCost, Evaluation
from amc.journal import E, Entry, State
from amc.parsing import read_json, read_record
from experiments.disk import lock
from experiments.runs.checkpoints import FOLDER, Checkpoints, unwritable
from netadapt import Proposal

JOURNAL_FILE = "journal.jsonl"
VERSION = 4
READ_VERSIONS = (1, 2, 3, 4)
HEADER = "header"
START = b'{"crc32": '
"""Of every line."""


KINDS: dict[str, type[Entry]] = {one.kind: one for one in (Evaluation, Proposal, DeviceCost)}
"""Entries of ours; a strategy of a user's own may have others."""


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
        self._checkpoints = Checkpoints(folder / FOLDER)
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        if not lock(self._file):
            self._file.close()
            raise ValueError(
                f"another process is at work in {folder}; wait until it has ended, or name another "
                "folder with --out"
            )
        try:
            self._entries, self.damaged = ({}, 0) if anew else self._read()
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
        return self._entries.get((HEADER, ""))

    def count(self, kind: type[Entry]) -> int:
        """Entries of this kind."""
        return sum(word == kind.kind for word, _ in self._entries)

    def begin(self, header: Mapping[str, Any]) -> None:
        """Start anew with this header; whatever was noted before is gone."""
        self._file.truncate(0)
        self._entries, self.damaged = {}, 0
        self.tidy()
        self._add(HEADER, "", {"version": VERSION, **header})

    def tidy(self) -> None:
        """Drop all checkpoints."""
        self._checkpoints.clear()

    def recall(self, kind: type[E], key: str) -> E | None:
        """The entry of this kind and key; None where there is none."""
        found = self._entries.get((kind.kind, key))
        return None if found is None else read_record(kind, found)

    def note(self, key: str, entry: Entry) -> None:
        """Add a line, which is on the disk when this returns.

        Raises:
            OSError: if it cannot be written; names the file, and what to do.
        """
        self._add(entry.kind, key, asdict(entry))

    def _add(self, kind: str, key: str, found: Mapping[str, Any]) -> None:
        line = _line({"kind": kind, "key": key, **found})
        try:
            # A full disk takes a part of it, and refuses the rest.
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from None
        self._entries[kind, key] = dict(found)

    def recall_state(self, name: str) -> dict[str, Tensor] | None:
        """The tensors stored last under this name, strides included; None where there are none.

        Raises:
            ValueError: if the file is damaged.
        """
        return self._checkpoints.load(name)

    def note_state(self, name: str, state: State) -> None:
        """Store tensors whole, or leave those of before.

        Raises:
            OSError: if they cannot be written; names the file, and what to do.
        """
        self._checkpoints.save(name, state)

    def forget_state(self, name: str) -> None:
        """Drop the tensors of this name, which nothing needs any more."""
        self._checkpoints.drop(name)

    def _read(self) -> tuple[dict[tuple[str, str], dict[str, Any]], int]:
        """Entries by kind and key, and how many lines were damaged.

        The file then ends with a whole line.
        """
        self._file.seek(0)
        data = self._file.read()
        records, end = _records(data, self.path)
        if end < len(data):
            self._file.truncate(end)
        found = [one for one in records if one is not None]
        return {(one.pop("kind"), one.pop("key")): one for one in found}, records.count(None)


def header_at(folder: Path) -> Mapping[str, Any] | None:
    """What a run was begun with, which may be in use; None where that cannot be told."""
    path = folder / JOURNAL_FILE
    try:
        records, _ = _records(path.read_bytes(), path)
    except (OSError, ValueError):
        return None
    first = records[0] if records else None
    return first if first is not None and first["kind"] == HEADER else None


def count_entries(path: Path, kinds: Collection[type[Entry]]) -> int:
    """Entries of these kinds in a journal that may be in use; none without the file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no journal of this release.
    """
    if not path.is_file():
        return 0
    records, _ = _records(path.read_bytes(), path)
    words = {kind.kind for kind in kinds}
    return sum(one is not None and one["kind"] in words for one in records)


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


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, sort_keys=True).encode()
    return START + b'"%08x", "record": %b}\n' % (zlib.crc32(text), text)


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line tells; None where it is not what is written."""
    try:
        found = read_json(line)["record"]
        if _line(found) != line + b"\n":
            return None
        kind, key, plain = _parted(found)
        if kind in KINDS:
            read_record(KINDS[kind], plain, kind)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return {**plain, "kind": kind, "key": key}


def _parted(record: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Kind, key and the rest; journals of version 2 and before have the first two as one name.

    Those of version 3 and before call every score an accuracy.
    """
    plain = dict(record)
    if "accuracy" in plain:
        plain["score"] = plain.pop("accuracy")
    if "name" in plain:
        kind, _, key = plain.pop("name").partition(" ")
    else:
        kind, key = plain.pop("kind"), plain.pop("key")
    if not (isinstance(kind, str) and isinstance(key, str)):
        raise TypeError("a kind and a key are texts")
    return kind, key, plain
