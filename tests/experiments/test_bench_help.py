"""Whoever asks a benchmark what it does is told, and does not start it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import experiments

NAMES = sorted(path.stem for path in Path(experiments.__path__[0]).glob("bench_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_tells_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        import_module(f"experiments.{name}").main(["--help"])
    assert end.value.code == 0
    assert f"python -m experiments.{name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_refuses_words_that_it_does_not_know(name: str) -> None:
    with pytest.raises(SystemExit) as end:
        import_module(f"experiments.{name}").main(["--no-such-flag"])
    assert end.value.code == 2
