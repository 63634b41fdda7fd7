"""Programs carried to another device, and timings brought back."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

from amc.costs.latency import Device
from experiments.profiling import timing
from experiments.profiling.measuring import Answer, payload
from experiments.profiling.plan import WHOLE, Plan

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
        what = {"runtime": runtime, "threads": threads, "steady": WHOLE, "files": files}
        archive.writestr("plan.json", json.dumps({**what, "fixed": plan.fixed}))
    shutil.copyfile(timing.__file__, folder / SCRIPT)


def carried(plan: Plan, path: Path) -> Answer:
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
        answer = Answer(Device(**data["device"]), data["timings"], data["unsteady"], data["took"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not timings that {SCRIPT} wrote ({error})") from None
    missing = [name for name in plan.programs() if name not in answer.timings]
    if missing:
        raise ValueError(
            f"{path}: has no time of program {missing[0]!r}, so it was made for another network or "
            "other settings; give the same ones as with --prepare"
        )
    return answer
