"""Whoever asks a study what it does is told, and does not start it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import pytest
from studies_there import STUDIES


def main_of(name: str) -> Callable[[list[str]], int]:
    """What `python -m` runs."""
    module = f"experiments.studies.{name}"
    spec = find_spec(module)
    assert spec is not None
    whole = spec.submodule_search_locations is not None
    found: Callable[[list[str]], int] = import_module(
        f"{module}.__main__" if whole else module
    ).main
    return found


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_tells_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main_of(name)(["--help"])
    assert end.value.code == 0
    assert f"python -m experiments.studies.{name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_refuses_words_that_it_does_not_know(name: str) -> None:
    with pytest.raises(SystemExit) as end:
        main_of(name)(["--no-such-flag"])
    assert end.value.code == 2
