"""Time told by a command of the user's: for devices and runtimes that no code here knows.

    --runtime 'command:ssh phone ./bench --model {onnx} --shapes {input_shapes}'

`{onnx}` becomes the path of an ONNX file, `{input_shapes}` its inputs as `name:1x3x224x224`,
several with commas, as trtexec takes them, and `{threads}` a number. The last number that the
command prints is a pass's time in milliseconds. It is run without a shell.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import signal
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.latency import clock
from experiments.latency.clock import Timing

COMMAND = "command:"
"""How such a runtime begins."""

TRIES = 3
"""Of one program, while the command fails or two of its answers are far apart."""

APART = 0.1
"""Relative, and above `LEAST` seconds: answers that are farther apart are asked for once more."""

LEAST = 20e-6

SECONDS = 600.0
"""After which a command that has not ended is taken for one that hangs."""

NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


class CommandError(ValueError):
    """A command that gave no time, however often it was asked."""


@dataclass(frozen=True)
class Command:
    """What is run.

    Args:
        text: With `{onnx}` in it.
        threads: What `{threads}` becomes.

    Raises:
        ValueError: if it cannot be taken apart, or has no place for the file.
    """

    text: str
    threads: int

    def __post_init__(self) -> None:
        if "{onnx}" not in self.text:
            raise ValueError(
                f"--runtime {COMMAND}{self.text} has no {{onnx}}, which is where the path of the "
                "ONNX file goes"
            )
        try:
            words = shlex.split(self.text)
        except ValueError as error:
            raise ValueError(f"--runtime {COMMAND}{self.text}: {error}") from None
        if not words:
            raise ValueError(f"--runtime {COMMAND} names no command")

    @classmethod
    def of(cls, runtime: str, threads: int) -> Command | None:
        """That of a runtime's name; None of another one."""
        return cls(runtime[len(COMMAND) :], threads) if runtime.startswith(COMMAND) else None

    def seconds(self, program: bytes) -> float:
        """Of a pass of an ONNX model.

        Raises:
            CommandError: if the command fails, hangs or prints no time.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.onnx"
            path.write_bytes(program)
            given = {
                "onnx": str(path),
                "input_shapes": input_shapes(program),
                "threads": str(self.threads),
            }
            return _told(_run([_filled(word, given) for word in shlex.split(self.text)]))


def _filled(word: str, given: Mapping[str, str]) -> str:
    for name, value in given.items():
        word = word.replace("{" + name + "}", value)
    return word


def input_shapes(program: bytes) -> str:
    """Inputs of an ONNX model, as `name:1x3x8x8`, with commas between several."""
    import onnx

    inputs = onnx.load_from_string(program).graph.input
    shapes = {item.name: item.type.tensor_type.shape.dim for item in inputs}
    return ",".join(
        f"{name}:{'x'.join(str(size.dim_value) for size in sizes)}"
        for name, sizes in shapes.items()
    )


def _run(words: Sequence[str]) -> str:
    """What it prints."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"it cannot be run ({error})") from None
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CommandError(f"it had not ended after {SECONDS:.0f} s") from None
    finally:
        _end(process)
    if process.returncode:
        last = (err.strip() or out.strip() or "it said nothing").splitlines()[-1]
        raise CommandError(f"it ended with {process.returncode}: {last[:200]}")
    return out


def _end(process: subprocess.Popen[str]) -> None:
    """With all that it started, if it has not ended."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()


def _told(out: str) -> float:
    numbers = NUMBER.findall(out)
    seconds = float(numbers[-1]) / 1e3 if numbers else math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        last = (out.strip().splitlines() or ["nothing"])[-1]
        raise CommandError(f"it printed no time in milliseconds, but {last[:200]!r}")
    return seconds


def timed(
    command: Command, name: str, program: bytes, say: Callable[[str], None] = lambda text: None
) -> Timing:
    """A program's time: the faster of two answers, or of three where two are far apart.

    Args:
        command: That is asked.
        name: Of the program, for messages.
        program: An ONNX model.
        say: Told what failed and is tried again.

    Raises:
        CommandError: if it fails `TRIES` times.
    """
    found: list[float] = []
    failed = 0
    while len(found) < 2 or (len(found) < TRIES and _apart(found)):
        try:
            found.append(command.seconds(program))
        except CommandError as error:  # noqa: PERF203
            failed += 1
            if failed == TRIES:
                raise CommandError(
                    f"--runtime {COMMAND}{command.text} failed {TRIES} times at {name}: {error}; "
                    "what it told before is kept, and the same command goes on behind it"
                ) from None
            say(f"at {name} {error}; tried again")
    return {
        "seconds": min(found),
        "spread": max(found) - min(found),
        "typical": statistics.median(found),
    }


def _apart(found: Sequence[float]) -> bool:
    one, other = sorted(found)[:2]
    return other - one > max(APART * one, LEAST)


def device(runtime: str, threads: int) -> dict[str, Any]:
    """What the times of a runtime depend on; of a command nothing is known but itself."""
    if not runtime.startswith(COMMAND):
        return clock.device(runtime, threads)
    return {
        "processor": "a device behind a command",
        "revision": "",
        "instructions": "",
        "cores": 1,
        "system": "",
        "runtime": runtime,
        "version": "",
        "threads": threads,
    }
