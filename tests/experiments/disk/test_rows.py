"""Rows of a file: read once, written at once, and whole after a crash."""

from __future__ import annotations

from pathlib import Path

from experiments.disk import Rows


def test_rows_are_read_back_and_the_last_of_a_kind_counts(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rows.jsonl"
    rows = Rows(path, ("name",))
    assert rows.known() == {}
    for value in (1, 2):
        rows.add({"name": "one", "value": value})
    assert rows.known() == Rows(path, ("name",)).known() == {("one",): {"name": "one", "value": 2}}
    rows.forget()
    assert rows.known() == Rows(path, ("name",)).known() == {}


def test_what_was_added_is_known_as_it_would_be_read(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", ("name",))
    rows.add({"name": "one", "sizes": (3, 4)}, {"name": "two", "sizes": ()})
    assert rows.known()["one",]["sizes"] == [3, 4]


def test_a_line_that_a_crash_cut_off_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Rows(path, ("name",)).add({"name": "one"})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"name": "tw')
    rows = Rows(path, ("name",))
    assert list(rows.known()) == [("one",)]
    rows.add({"name": "three"})
    assert list(Rows(path, ("name",)).known()) == [("one",), ("three",)]
