"""Programs carried to another device, and timings brought back."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

from amc.costs.latency import Device
from amc.parsing import read_json
from experiments.latency import clock
from experiments.latency.profiling.measuring import Answer, payload
from experiments.latency.profiling.plan import WHOLE, Plan

ARCHIVE, SCRIPT = "programs.zip", "timing.py"


def prepare(plan: Plan, folder: Path, runtime: str, threads: int) -> None:
    """Write what another device needs: the programs, and the script that times them.

    Args:
        plan: What is timed.
        folder: Made if it is not there.
        runtime: That the device has.
        threads: That it may use.

    Raises:
        OSError: if the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    programs = plan.programs()
    files = {name: f"{number}.program" for number, name in enumerate(programs)}
    # Weights are one number over and over, so that almost nothing of them is left.
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, make in programs.items():
            archive.writestr(files[name], payload(make(), runtime))
        what = {"runtime": runtime, "threads": threads, "files": files}
        what.update(steady=WHOLE, often=plan.often(programs))
        mark = fingerprint(plan, runtime, threads)
        archive.writestr("plan.json", json.dumps({**what, "fixed": plan.fixed, "plan": mark}))
    shutil.copyfile(clock.__file__, folder / SCRIPT)


def fingerprint(plan: Plan, runtime: str, threads: int) -> str:
    """What tells the answer to one plan from the answers to others.

    Args:
        plan: What is timed.
        runtime: That the device has.
        threads: That it may use.
    """
    calls = [(layer, plan.parts[part].about) for layer, part in plan.calls]
    told = [runtime, threads, plan.fed, plan.fixed, calls, plan.networks, sorted(plan.programs())]
    told += [plan.rounding.round_to, plan.rounding.max_ratio, plan.rounding.steps]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def read_answer(plan: Plan, path: Path, runtime: str, threads: int) -> Answer:
    """Read what the script wrote.

    Args:
        plan: What was to be timed.
        path: Of what came back.
        runtime: As for `prepare`.
        threads: The same.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no answer of this release, or to other programs than the plan's.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no timings at {path}; run {SCRIPT} on the device, beside {ARCHIVE}, and bring back "
            "what it writes"
        )
    try:
        data = read_json(path.read_bytes())
        if data["schema_version"] != clock.SCHEMA_VERSION:
            raise ValueError(f"schema version {data['schema_version']}")
        answer = Answer(Device(**data["device"]), data["timings"], data["unsteady"], data["took"])
    except (ValueError, KeyError, TypeError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{path}: not timings that {SCRIPT} wrote ({why}); bring back the file that it names"
        ) from None
    if data.get("plan") != fingerprint(plan, runtime, threads):
        raise ValueError(
            f"{path}: was made for another network or other settings; give the same ones as with "
            "--prepare"
        )
    missing = [name for name in plan.programs() if name not in answer.timings]
    if missing:
        raise ValueError(f"{path}: has no time of program {missing[0]!r}; run {SCRIPT} again")
    return answer
