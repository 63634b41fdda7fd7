"""`amc`, for tests."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from experiments.cli import main

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


class CommandLine:
    """`amc` in this process, or in one of its own."""

    def __call__(self, *words: object) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        path = list(sys.path)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.path[:] = path
        return Answer(code, out.getvalue(), err.getvalue())

    def good(self, *words: object) -> str:
        """What a command printed that must work."""
        answer = self(*words)
        assert answer.code == 0, answer.err
        return answer.out

    def elsewhere(self, *words: object, folder: Path, script: str = "") -> Answer:
        """In a new process, as a module or as the text of a script."""
        start = ["-c", script] if script else ["-m", "experiments.cli"]
        done = subprocess.run(
            [sys.executable, *start, *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return Answer(done.returncode, done.stdout, done.stderr)
