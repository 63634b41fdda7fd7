"""The studies that can be run, by what follows `python -m experiments.studies.`."""

from __future__ import annotations

from pathlib import Path

import experiments.studies

RUN = '__name__ == "__main__"'
ROOM = Path(experiments.studies.__path__[0])
FILES = [path.stem for path in ROOM.glob("*.py") if RUN in path.read_text("utf-8")]
STUDIES = sorted([*FILES, *(path.parent.name for path in ROOM.glob("*/__main__.py"))])
