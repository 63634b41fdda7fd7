"""A run that is killed and goes on ends as one that was never killed, to the byte."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
EQUAL = ("policy.json", "model.safetensors")
OWN = ("--model", "striped_images:network", "--dataset", "striped_images:images")
SMALL = (
    *("search", *OWN),
    *("--calibration-images", "60", "--search-images", "30", "--budget", "macs=0.4"),
    *("--no-measure", "--round-to", "1"),
)
RUNS = {
    "gp-rollout": (
        *(*SMALL, "--strategy", "gp-rollout"),
        *("--episodes", "12", "--options.proposals", "8", "--options.imitation", "2"),
        *("--options.hidden", "16", "--finetune-epochs", "4", "--patience", "3"),
    ),
    "netadapt": (
        *(*SMALL, "--strategy", "netadapt"),
        *("--options.steps", "2", "--options.reduction", "0.12"),
        *("--finetune-epochs", "4"),
    ),
    "residual-gp": (*SMALL, "--strategy", "residual-gp", "--episodes", "16", "--racing", "0.05"),
    "smallest": (
        *("search", *OWN, "--calibration-images", "60", "--search-images", "20", "--no-measure"),
        *("--round-to", "1", "--max-drop", "0.65", "--episodes", "12", "--finetune-epochs", "2"),
    ),
    "chosen": (
        *(*SMALL, "--strategy", "random", "--episodes", "20"),
        *("--objective", "tuned", "--finetune-epochs", "8"),
    ),
    "workers": (*SMALL, "--strategy", "residual-gp", "--episodes", "24", "--workers", "2"),
    "train": ("train", *OWN, "--epochs", "8", "--batch-size", "16", "--gamma-l1", "1e-4"),
}
TWO = ("--options.jobs", "2")
WORK = {
    **dict.fromkeys(("gp-rollout", "residual-gp", "smallest", "chosen", "workers"), "evaluation"),
    "netadapt": "proposal",
}
"""Kinds of a journal's entries, of which a run has more than a few."""


def untimed(text):
    """A result but for seconds and the folder, as text in which every digit counts."""

    def without(value):
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in ("seconds", "out")}
        return [without(item) for item in value] if isinstance(value, list) else value

    return json.dumps(without(json.loads(text)))


def untimed_page(run):
    """A report but for times and the folder."""
    page = (run / "report.html").read_text("utf-8").replace(run.name, "RUN")
    return re.sub(r"[0-9][0-9.,]* (ms|s|min|h)\b", "TIME", page)


@pytest.mark.timeout(400)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked and killed")
@pytest.mark.parametrize(
    ("name", "more", "kills"),
    [
        *(("gp-rollout", (), 10), ("residual-gp", (), 10), ("smallest", (), 10)),
        *(("chosen", (), 10), ("workers", (), 5)),
        *(("netadapt", (), 20), ("netadapt", TWO, 3), ("train", (), 8)),
    ],
)
def test_a_run_killed_at_random_moments_ends_as_if_never_killed(name, more, kills, tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "killing.py", tmp_path, str(kills), "1", *RUNS[name], *more],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), str(HERE))),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["kills"] == kills
    whole = tmp_path / "whole"
    if name in WORK:
        assert (whole / "journal.jsonl").read_text().count(f'"kind": "{WORK[name]}"') > 8
    files = [path.name for path in whole.iterdir() if path.name in EQUAL]
    assert files
    for folder in answer["folders"]:
        run = tmp_path / folder
        for file in files:
            assert (run / file).read_bytes() == (whole / file).read_bytes(), folder
        ours, theirs = ((r / "result.json").read_text() for r in (run, whole))
        assert untimed(ours) == untimed(theirs)
        if name != "train":
            assert untimed_page(run) == untimed_page(whole)
        assert sorted(os.listdir(run)) == sorted(os.listdir(whole))
