"""Modules of earlier releases: whoever imports one is told where it is now."""

import importlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

import amc
import experiments

MOVED = [
    *((f"amc.{name}", f"amc.{place}") for place, names in amc._MOVED.items() for name in names),
    *((f"experiments.{n}", place) for place, names in experiments._MOVED.items() for n in names),
]


@pytest.mark.parametrize(("old", "new"), MOVED, ids=[old for old, _ in MOVED])
def test_the_old_place_says_the_new_one(old: str, new: str) -> None:
    with pytest.raises(ImportError, match=f"^{old} is now {new}$"):
        importlib.import_module(old)
    assert find_spec(new) is not None


def test_a_name_taken_from_the_package_is_answered_too() -> None:
    with pytest.raises(ImportError, match=r"amc.samples is now amc.tasks"):
        from amc import samples  # type: ignore[attr-defined]  # noqa: F401


def test_a_part_of_a_folder_that_moved_is_answered() -> None:
    with pytest.raises(ImportError, match=r"experiments.trust is now experiments.commands.trust"):
        importlib.import_module("experiments.trust.sampling")


def test_a_study_under_its_old_name_says_its_new_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.bench_search"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "experiments.bench_search is now experiments.studies.speed" in done.stderr


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'amc.nothing'"):
        importlib.import_module("amc.nothing")
