"""Kills runs with SIGKILL, in processes that are forked from this one, which is warm.

Usage: killing.py FOLDER KILLS SEED COMMAND WORD... with the words of `amc` but for --out.
Prints, as JSON, how many were killed, and in which folders a run that was killed and then went on
has ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from experiments.cli import main
from experiments.runs.journal_file import JOURNAL_FILE

ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT

ALONE = {"--options.jobs": ("--options.jobs", "1"), "--workers": ("--workers", "1", "--batch", "4")}
"""By the flag that makes several processes, what leaves one that does the same."""

TIMES = 5
"""That one run is killed, at most, before it goes on to its end."""


def begun(words: list[str], out: Path) -> int:
    """The process of a run in this folder."""
    process = os.fork()
    if process == 0:
        with open(out.with_suffix(".txt"), "a", encoding="utf-8") as told:
            os.dup2(told.fileno(), 1)
            os.dup2(told.fileno(), 2)
        os._exit(main([*words, "--out", str(out)]))
    return process


def ended(words: list[str], out: Path) -> float:
    """Let a run come to its end; the seconds that it took."""
    start = time.perf_counter()
    _, status = os.waitpid(begun(words, out), 0)
    assert os.waitstatus_to_exitcode(status) == 0, out.with_suffix(".txt").read_text()
    return time.perf_counter() - start


def noted(out: Path) -> int:
    """Lines of the journal."""
    path = out / JOURNAL_FILE
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed(words: list[str], out: Path, notes: int, after: float) -> bool:
    """Kill a run so many seconds after so many notes; False where it had ended by then."""
    process = begun(words, out)
    # Its end is seen, and left to be waited for.
    while noted(out) < notes and not os.waitid(os.P_PID, process, ENDED):
        time.sleep(0.001)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), out.with_suffix(".txt").read_text()
    return code != 0


def run(folder: Path, kills: int, seed: int, words: list[str]) -> dict[str, object]:
    """Kill runs until so many have been killed; let each go on to its end after some."""
    torch.set_num_threads(1)  # A fork of a process with more of them would wait for them forever.
    moments, done, folders = random.Random(seed), 0, list[str]()
    alone = [word for flag, own in ALONE.items() if flag in words for word in own]
    side_by_side = bool(alone)  # What is forked cannot do with workers of this process.
    main([*words, *alone, "--out", str(folder / "warm")])
    usual, notes = ended(words, folder / "whole"), noted(folder / "whole")

    def moment(out: Path) -> tuple[int, float]:
        if side_by_side:  # Workers take longer to start than all that they do.
            return noted(out) + moments.randint(1, notes // TIMES), moments.uniform(0, 0.03)
        return 0, moments.uniform(0, usual)

    while done < kills:
        out = folder / f"run-{len(folders)}"
        for _ in range(min(TIMES, kills - done)):
            if not killed(words, out, *moment(out)):
                break
            done += 1
        ended(words, out)
        folders.append(out.name)
    return {"kills": done, "folders": folders}


if __name__ == "__main__":
    where, count, number, *typed = sys.argv[1:]
    told = run(Path(where), int(count), int(number), typed)
    print("\n" + json.dumps(told))
