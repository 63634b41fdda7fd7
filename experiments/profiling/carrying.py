"""Programs carried to another device, and timings brought back."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amc.costs.latency import Device
from experiments.profiling import timing
from experiments.profiling.measuring import Timings, payload
from experiments.profiling.plan import WHOLE, Plan

ARCHIVE, SCRIPT = "programs.zip", "timing.py"


@dataclass(frozen=True)
class Carried:
    """What a device answered.

    Args:
        device: Where the programs ran.
        timings: Of every program.
        unsteady: How far one program's time went apart meanwhile.
        took: Seconds.
    """

    device: Device
    timings: Timings
    unsteady: float
    took: float


def prepare(plan: Plan, folder: Path, runtime: str, threads: int, fixed: Mapping[str, Any]) -> None:
    """Write what another device needs: the programs, and the script that times them.

    Args:
        plan: What is timed.
        folder: Made if it is not there.
        runtime: That the device has.
        threads: That it may use.
        fixed: Of the device's description, what is decided here: batch and type.

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
        what = {"runtime": runtime, "threads": threads, "steady": WHOLE, "files": files}
        archive.writestr("plan.json", json.dumps({**what, "fixed": dict(fixed)}))
    shutil.copyfile(timing.__file__, folder / SCRIPT)


def carried(plan: Plan, path: Path) -> Carried:
    """Read what the script wrote.

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
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema_version"] != timing.SCHEMA_VERSION:
            raise ValueError(f"schema version {data['schema_version']}")
        answer = Carried(Device(**data["device"]), data["timings"], data["unsteady"], data["took"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not timings that {SCRIPT} wrote ({error})") from None
    missing = [name for name in plan.programs() if name not in answer.timings]
    if missing:
        raise ValueError(
            f"{path}: has no time of program {missing[0]!r}, so it was made for another network or "
            "other settings; give the same ones as with --prepare"
        )
    return answer
