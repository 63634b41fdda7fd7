"""What a contest leaves: tables, a picture, and the figures that both are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from experiments.disk import machine, write_whole
from experiments.studies.contest.picture import draw
from experiments.studies.contest.searching import Record
from experiments.studies.contest.study import Study
from experiments.studies.contest.tables import ablation, contest

PACKAGES = ("optuna", "cmaes", "scikit-learn", "scipy")
"""That searches use beside those of `experiments.disk.hardware`."""


def write(study: Study, records: Sequence[Record], folder: Path, name: str, command: str) -> str:
    """Write `name`.md, `name`.json and `name`.svg, and return the tables.

    Args:
        study: What was to be run.
        records: What is there of it.
        folder: For the files.
        name: "agents", or that of an ablation, which has no picture.
        command: That makes the same again.
    """
    made = {**machine(study.device), **{package: version(package) for package in PACKAGES}}
    whole = (contest if name == "agents" else ablation)(study, records)
    text = f"{whole}\n\n{_origin(command, made, study)}"
    figures = {
        "command": command,
        "made with": made,
        "study": asdict(study),
        "records": [asdict(record) for record in records],
    }
    write_whole(folder / f"{name}.json", json.dumps(figures) + "\n")
    write_whole(folder / f"{name}.md", text + "\n")
    if name == "agents":
        draw(study, records, folder / f"{name}.svg")
    return text


def _origin(command: str, made: dict[str, str], study: Study) -> str:
    seeds = ", ".join(map(str, study.seeds))
    versions = ("torch", "stable-baselines3", "optuna", "cmaes", "scikit-learn")
    named = ", ".join(f"{package} {made[package]}" for package in versions)
    gpu = f", networks on {made['gpu']}" if "gpu" in made else ""
    return (
        f"`{command}`, seeds {seeds} of the searches (rules have none); 95% intervals by Student's "
        f"t; {named}; {made['processor'].rsplit(',', 1)[0]}, {made['instructions']}, one thread "
        f"a search{gpu}."
    )
