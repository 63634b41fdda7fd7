"""Time told by a command of the user's: for devices and runtimes that no code here knows.

    --runtime 'command:ssh phone ./bench --model {onnx} --shapes {input_shapes}'

`{onnx}` becomes the path of an ONNX file, `{input_shapes}` its inputs as `name:1x3x224x224`,
several with commas, as trtexec takes them, and `{threads}` a number. A pass's time in milliseconds
is the last number that the command prints with ms behind it, or else its last number. It is run
without a shell.
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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from experiments.latency import clock
from experiments.latency.clock import Timing
from experiments.settings import COMMAND

TRIES = 3
"""Of one program, while the command fails or two of its answers are far apart."""

APART = 0.1
"""Relative, and above `LEAST` seconds: answers that are farther apart are asked for once more."""

LEAST = 20e-6

SECONDS = 600.0
"""After which a command that has not ended is taken for one that hangs."""

MOST = 1_000_000
"""Bytes that are read of what it prints."""

WITH_UNIT = re.compile(
    r"(?<![\w.,])([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf) ?ms\b", re.IGNORECASE
)
"""A number with its unit; of 1,234 ms nothing is taken."""


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
    """What it prints.

    Its output goes to files: what it leaves running in the background may hold a pipe open.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            raise CommandError(f"it cannot be run ({error})") from None
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise CommandError(f"it had not ended after {SECONDS:g} s") from None
        finally:
            _end(process)
        said, wrong = map(_read, (out, err))
    if process.returncode:
        last = (wrong.strip() or said.strip() or "it said nothing").splitlines()[-1]
        raise CommandError(f"it ended with {process.returncode}: {last[:200]}")
    return said


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MOST).decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started."""
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _told(out: str) -> float:
    """Seconds: the last number with ms behind it, or else the last word that is a number."""
    words = [word.strip(",;:()[]") for word in out.split()]
    found = WITH_UNIT.findall(out) or [word for word in words if _is_number(word)]
    milliseconds = float(found[-1]) if found else math.nan
    if not (math.isfinite(milliseconds) and milliseconds > 0):
        last = (out.strip().splitlines() or ["nothing"])[-1]
        raise CommandError(f"it printed no time in milliseconds, but {last[:200]!r}")
    return milliseconds / 1e3


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


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
                    f"--runtime {COMMAND}{command.text} failed {TRIES} times at {name}: {error}"
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
