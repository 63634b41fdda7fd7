"""Run folders that the same command goes on with, whatever ended it before."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from amc.history import Evaluation
from amc.modules import tensors
from amc.parsing import read_record
from amc.tasks import Data, Indexed, Samples, TaskError, first_batch
from experiments.disk import machine, ready_folder
from experiments.runs.checkpoints import steps_trained
from experiments.runs.journal_file import RunJournal, header_at
from experiments.runs.results import RENAMED
from experiments.runs.so_far import SO_FAR
from experiments.settings import (
    BenchmarkSettings,
    RunSettings,
    SearchSettings,
    as_written,
    code_flags,
    code_in,
    flat,
    save_config,
    split_words,
)
from experiments.terminal import count, stop_in_time
from experiments.zoo import ImageFiles, Workload
from netadapt import Proposal

RUN_FILES = ("result.json", "policy.json", "model.safetensors", "report.html", "config.yaml")
"""What a finished run's folder has beside its journal; the result marks it as finished."""

UNBOUND_OPTIONS = ("jobs", "timeout")
"""Of a strategy, which change nothing of what it finds."""

UNBOUND = ("out", "overwrite", "tensorboard", "weights", "policy", "latency", "workers", "ray")
"""Settings that may differ from one sitting to the next: files are compared by what they hold."""


@dataclass(frozen=True)
class Header:
    """What a run is bound to, and what it was begun with.

    Args:
        command: That began it.
        settings: Without those that may change.
        weights: Checksum of the network's.
        images: The same.
        files: Checksums of files that decide the result, by their flags.
        machine: Versions and processor.
    """

    command: str
    settings: Mapping[str, Any]
    weights: str
    images: str
    files: Mapping[str, str]
    machine: Mapping[str, str]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a run that can go on.

    Args:
        left: What it leaves, in words.
        config: Of the command that goes on.
    """

    def __init__(self, left: str, config: RunSettings | BenchmarkSettings) -> None:
        self.left = left
        super().__init__(f"interrupted; {left}; `{going_on(config)}` goes on from there")


@contextmanager
def resumable(interrupted: Callable[[], Interrupted]) -> Iterator[None]:
    """Within, Ctrl-C writes what there is and tells how to go on, in time.

    Args:
        interrupted: Writes it, and tells that.

    Raises:
        Interrupted: at Ctrl-C.
    """
    try:
        with stop_in_time(lambda: str(interrupted())):
            yield
    except KeyboardInterrupt:
        raise interrupted() from None


def going_on(config: RunSettings | BenchmarkSettings) -> str:
    """The command that goes on with a run, or begins it again."""
    file = shlex.quote(str(Path(config.output.out) / "config.yaml"))
    return " ".join([f"amc {config.command} --config {file}", *code_flags(code_in(flat(config)))])


@contextmanager
def run_journal(config: RunSettings, workload: Workload) -> Iterator[RunJournal]:
    """The journal of the run in the folder of these settings, as far as that has come.

    Where there is none, or with `overwrite`, it is empty until `begin` is called.

    Raises:
        OSError: if the folder cannot be made or written to.
        ValueError: if another process works there, it holds a run that was begun otherwise (names
            the first difference), or it holds a file that the run reads and would replace.
        TaskError: if one was raised within; with how to go on.
    """
    _check_reads(config)
    fresh = not Path(config.output.out).exists()
    folder = ready_folder(config.output.out)
    with RunJournal(folder, anew=config.output.overwrite) as journal:
        try:
            if not config.output.overwrite:
                _check(journal, config, workload)
            if is_finished(journal):
                journal.tidy()  # It may have been killed right after its result was written.
            yield journal
        except TaskError as error:
            raise TaskError(
                f"{error}; mend that, and the same command goes on from what is finished"
            ) from error
        finally:
            if not journal.path.stat().st_size:
                journal.path.unlink()
                if fresh and not any(folder.iterdir()):
                    folder.rmdir()


def begin(journal: RunJournal, config: RunSettings, workload: Workload, console: Console) -> None:
    """Go on with a run that was begun, or begin it."""
    made = machine(config.compute.device)
    for stale in journal.folder.glob(".*.tmp"):
        stale.unlink()
    if journal.header is None:
        for name in (*RUN_FILES, SO_FAR):
            (journal.folder / name).unlink(missing_ok=True)
        journal.begin({**header(config, workload), "machine": made})
        save_config(config, journal.folder / "config.yaml")
        return
    if not (journal.folder / "config.yaml").is_file():  # killed between the two
        save_config(config, journal.folder / "config.yaml")
    console.print(f"goes on in {config.output.out}, where {_progress(journal)}", soft_wrap=True)
    if journal.damaged:
        console.print(f"{journal.damaged} damaged lines of {journal.path} are done again")
    for name, before in _header(journal).machine.items():
        if made.get(name) != before:
            console.print(
                f"begun with {name} {before}, goes on with {made.get(name)}: what comes may differ "
                "from an uninterrupted run",
                soft_wrap=True,
            )


def _progress(journal: RunJournal) -> str:
    """What is done, in words."""
    evaluations = journal.count(Evaluation) + journal.count(Proposal)
    steps = steps_trained(journal.folder)
    done = [count(evaluations, "evaluation")] if evaluations else []
    done += [count(steps, "gradient step")] if steps else []
    verb = "is" if evaluations + steps == 1 else "are"
    return f"{' and '.join(done)} {verb} finished" if done else "nothing is finished yet"


def finished(config: RunSettings) -> str:
    """What to say of a run that has its result."""
    return f"{config.output.out} is finished, nothing is left to do; --overwrite begins anew"


def is_finished(journal: RunJournal) -> bool:
    """Whether the run has its result."""
    return journal.header is not None and (journal.folder / "result.json").is_file()


def header(config: RunSettings, workload: Workload) -> dict[str, Any]:
    """What a run is bound to: its settings, and checksums of all that it reads."""
    settings = _without(flat(config), UNBOUND)
    if "options" in settings:
        settings["options"] = _without(settings["options"], UNBOUND_OPTIONS)
    bound = {
        "command": config.command,
        "settings": settings,
        **_checksums(workload),
        "files": _files(config),
    }
    plain: dict[str, Any] = json.loads(json.dumps(bound))
    return plain


def _checksums(workload: Workload) -> dict[str, str]:
    """Of weights and samples."""
    weights = {name: _sha256(tensor) for name, tensor in workload.model.state_dict().items()}
    task = workload.task
    # Of a stream to train on nothing is told: it may come in another order each time.
    train = task.train_loader if isinstance(task.train_loader, Indexed) else None
    data = [_data(one) for one in (train, task.score_loader, task.test_loader)]
    return {
        "weights": hashlib.sha256(json.dumps(weights).encode()).hexdigest(),
        "images": hashlib.sha256("".join(data).encode()).hexdigest(),
    }


SCORED = ("criterion", "granularity", "search_images", "calibration_images")
"""Settings that decide how a candidate is scored, beside weights and samples."""


def scored_alike(
    folder: Path, config: SearchSettings | BenchmarkSettings, workload: Workload
) -> bool:
    """Whether an earlier run scored candidates as this one does: by the same weights and samples.

    The seed, which draws what refits read, makes no difference here.
    """
    told = header_at(folder)
    if told is None:
        return False
    now, before = flat(config), as_written(type(config), told.get("settings", {}))
    same = all(before.get(name) == now[name] for name in SCORED)
    return same and all(told.get(name) == own for name, own in _checksums(workload).items())


def _without(named: Mapping[str, Any], unbound: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name not in unbound}


def _files(config: RunSettings) -> dict[str, str]:
    """Checksums of files that decide the result, beside weights and images, by their flags."""
    return {
        flag: hashlib.sha256(Path(path).read_bytes()).hexdigest()
        for flag, path in config.files.items()
        if path is not None and Path(path).is_file()  # Else refused by who reads it.
    }


def _check_reads(config: RunSettings) -> None:
    """Refuse to read what this run replaces as it begins: an interrupted one could not go on."""
    named = flat(config)
    for flag in ("weights", "policy"):
        path = named.get(flag)
        if path is None or Path(path).name not in RUN_FILES:
            continue
        if Path(path).resolve().parent == Path(config.output.out).resolve():
            raise ValueError(
                f"--{flag} {path} lies in the folder of --out, where the results replace it; name "
                "another folder with --out"
            )
    for run in split_words(str(named.get("from") or "")):
        if Path(run).resolve() == Path(config.output.out).resolve():
            raise ValueError(
                f"--from {run} is the folder of --out, where the results replace it; name another "
                "folder with --out"
            )


def _check(journal: RunJournal, config: RunSettings, workload: Workload) -> None:
    folder = journal.folder
    if journal.header is None:
        if (folder / "result.json").is_file():
            raise ValueError(
                f"{folder} holds results without a journal that tells what they are of; name "
                "another folder with --out, or replace them with --overwrite"
            )
        return
    was = asdict(_header(journal))
    was["settings"] = as_written(type(config), was["settings"])
    # A setting that an earlier release did not have was at what is its default now.
    was["settings"] = {**_without(flat(type(config)()), UNBOUND), **was["settings"]}
    if difference := _difference(was, header(config, workload)):
        raise ValueError(
            f"{folder} holds another run: {difference}; name another folder with --out, or begin "
            "anew in this one with --overwrite"
        )


def _header(journal: RunJournal) -> Header:
    try:
        header = read_record(Header, journal.header, others=True)
    except ValueError as error:
        raise ValueError(
            f"{journal.path}: its first line is not that of a run ({error}); name another folder "
            "with --out, or begin anew in this one with --overwrite"
        ) from None
    if journal.header and journal.header.get("version") == 1:
        name = header.settings.get("strategy")
        settings = {**header.settings, "strategy": RENAMED.get(name, name)} if name else None
        return replace(header, settings=settings or header.settings)
    return header


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first difference between two headers, in words; empty if there is none."""
    if was["command"] != now["command"]:
        return f"it was begun by amc {was['command']}, not amc {now['command']}"
    for name in {**now["settings"], **was["settings"]}:
        before, after = was["settings"].get(name), now["settings"].get(name)
        if before != after:
            return f"--{name.replace('_', '-')} was {before} and is {after}"
    for name in ("weights", "images"):
        if was[name] != now[name]:
            return f"the {name} are not those that it was begun with"
    for flag in {**now["files"], **was["files"]}:
        if was["files"].get(flag) != now["files"].get(flag):
            return f"what {flag} names is not what it was"
    return ""


def _data(data: Data | None) -> str:
    """Of samples in memory their checksum; a stream is known by its first batch."""
    if data is None:
        return ""
    if isinstance(data, ImageFiles):
        return data.fingerprint
    if not isinstance(data, Samples):
        return "".join(map(_sha256, tensors(first_batch(data, FIRST))))
    norms = json.dumps([data.mean, data.std])
    held = (*tensors(data.inputs), *tensors(data.labels))
    return "".join(map(_sha256, held)) + norms


FIRST = 1000
"""Samples at most by which a stream is known."""


def _sha256(tensor: Tensor) -> str:
    # As bytes, for types such as bfloat16 that numpy does not know.
    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    found = hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype} ".encode())
    found.update(data.numpy().data)
    return found.hexdigest()
