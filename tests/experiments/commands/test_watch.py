"""`amc watch`: a page of runs that go on."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from amc.history import Outcome
from experiments.commands.watch import HERE, _Page, page_of
from experiments.runs import JOURNAL_FILE, SO_FAR, RunResult, Scores, SoFar, latest_of
from experiments.search.searching import Watch

REFRESH = '<meta http-equiv="refresh" content="3">'


@pytest.fixture
def going(uniform_run: Path, tmp_path: Path) -> Path:
    """A run in the middle of its search."""
    run = tmp_path / "benchmark" / "going"
    shutil.copytree(uniform_run, run)
    result = RunResult.load(run / "result.json")
    so_far = replace(result, searched=Scores(0.5, None), finetuned=None, most_evaluations=100)
    so_far.save(run / SO_FAR)
    (run / "result.json").unlink()
    return run


def test_a_run_that_goes_on_is_shown_with_how_far_it_is(going: Path) -> None:
    page = page_of((going,))
    assert REFRESH in page
    assert "Not finished yet." in page
    assert "uniform: 1 of 100 evaluations" in page
    assert "best accuracy 0.5000" in page


def test_a_run_that_ends_is_shown_as_its_report_is(uniform_run: Path, going: Path) -> None:
    shutil.copy(uniform_run / "result.json", going / "result.json")
    page = page_of((going,))
    assert page == (uniform_run / "report.html").read_text()
    assert REFRESH not in page


def test_of_a_folder_all_runs_are_shown_those_with_nothing_yet_too(going: Path) -> None:
    begun = going.parent / "begun"
    begun.mkdir()
    (begun / JOURNAL_FILE).write_text("")
    page = page_of((going.parent,))
    assert "1 run with nothing to show yet." in page
    (going / SO_FAR).unlink()
    assert "Nothing to show yet." in page_of((going.parent,))
    with pytest.raises(FileNotFoundError, match=r"no run at .*nowhere"):
        page_of((going.parent / "nowhere",))


def test_a_training_beside_searches_and_a_benchmark_between_two_of_them(
    going: Path, uniform_run: Path, trained: Path
) -> None:
    shutil.copytree(trained, going.parent / "trained")
    page = page_of((going.parent,))
    assert "trained is not the run of a search" in page
    shutil.copy(uniform_run / "result.json", going / "result.json")
    shutil.rmtree(going.parent / "trained")
    page = page_of((going.parent,))
    assert "All runs that were begun are finished." in page
    assert REFRESH in page
    shutil.copy(uniform_run / "result.json", going.parent / "result.json")
    assert REFRESH not in page_of((going.parent,))


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/", None, 200), ("/", "localhost:80", 200), ("/a", None, 404), ("/", "else.where:80", 404)],
)
def test_it_answers_this_machine_alone(
    going: Path, path: str, host: str | None, status: int
) -> None:
    with ThreadingHTTPServer((HERE, 0), partial(_Page, (going,))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asking = HTTPConnection(HERE, server.server_port, timeout=20)
        asking.request("GET", path, headers={} if host is None else {"Host": host})
        answer = asking.getresponse()
        assert answer.status == status
        assert ("Not finished yet" in answer.read().decode()) == (status == 200)
        server.shutdown()


def test_a_search_leaves_the_best_so_far_and_takes_it_away_in_the_end(
    amc: Callable[..., object], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[RunResult] = []
    shown = Watch.__call__

    def looked(watch: Watch, outcome: Outcome, best: Outcome | None) -> None:
        shown(watch, outcome, best)
        found, done = latest_of(tmp_path / "run")
        assert not done
        if found is not None:
            seen.append(found)

    monkeypatch.setattr(Watch, "__call__", looked)
    monkeypatch.setattr(SoFar, "due", property(lambda _: True))
    words = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5", "--weights", weights)
    few = ("--strategy", "random", "--episodes", 4, "--search-images", 50, "--no-measure")
    amc.good("search", *words, *few, "--out", tmp_path / "run")  # type: ignore[attr-defined]
    counts = [len(one.evaluations) for one in seen]
    assert counts == sorted(set(counts))
    assert 0 < counts[-1] <= 4
    best = [one.searched.holdout for one in seen]
    assert best == sorted(best)
    assert seen[-1].most_evaluations == 4
    assert not (tmp_path / "run" / SO_FAR).exists()
    assert latest_of(tmp_path / "run")[1]
