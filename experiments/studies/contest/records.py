"""What is finished of a contest, in a file that a crash cannot spoil."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from amc.parsing import read_json, read_record
from experiments.disk import append_lines, whole_lines, write_whole
from experiments.studies.contest.searching import Record, keys
from experiments.studies.contest.study import Study, Task


class Journal:
    """One record a line, appended as soon as its search is over.

    Args:
        path: Of the file; made with the first record.

    Raises:
        ValueError: if the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = [self._read(line) for line in whole_lines(path)]

    def forget(self) -> None:
        """Begin anew."""
        if self._path.is_file():
            write_whole(self._path, "")
        self._records = []

    def _read(self, line: str) -> Record:
        try:
            return read_record(Record, read_json(line))
        except ValueError:
            raise ValueError(
                f"{self._path}: not the journal of a contest; name another file with --out"
            ) from None

    def add(self, records: Iterable[Record]) -> None:
        """Write records, safe on the disk when this returns."""
        made = list(records)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_lines(self._path, (json.dumps(asdict(record)) for record in made))
        self._records += made

    def of(self, study: Study) -> list[Record]:
        """Records of the study's own tasks, made with the settings that contenders have today."""
        wanted = {key: task for task in study.tasks() for key in keys(task)}
        settings = {one.label: one.settings() for one in study.contenders}
        found = {
            record.key: record
            for record in self._records
            if record.key in wanted and record.settings == settings[record.contender]
        }
        return list(found.values())

    def missing(self, study: Study, only: Sequence[str] = ()) -> list[Task]:
        """Tasks that are still to be run, in their order."""
        done = {record.key for record in self.of(study)}
        return [task for task in study.tasks(only) if not {*keys(task)} <= done]
