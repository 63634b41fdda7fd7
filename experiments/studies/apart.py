"""Parts of studies in processes of their own: what one leaves behind cannot slow the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def answer(
    module: str, words: Sequence[str], timeout: float, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a module prints as its last line, which is JSON, or under "error" why there is none.

    Args:
        module: That is run.
        words: Behind it.
        timeout: Seconds, at most.
        variables: Of the environment, beside what is there.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            env={**os.environ, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {timeout:.0f} s"}
    lines = done.stdout.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["said nothing"])[-1]
        return {"error": f"ended with {done.returncode}: {last[:200]}"}
    return found
