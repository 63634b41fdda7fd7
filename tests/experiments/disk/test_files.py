"""Results that are written whole, and folders that are there in time."""

import os

import pytest

from experiments.disk.files import append_lines, ready_folder, whole_lines, write_whole


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "page.html"
    write_whole(path, "one")
    write_whole(path, "zwei — ✓")
    assert path.read_text(encoding="utf-8") == "zwei — ✓"
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"


def test_lines_are_added_in_place_of_one_that_was_cut_off(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert whole_lines(path) == []
    append_lines(path, ["one", "zwei — ✓"])
    with open(path, "ab") as file:
        file.write("half — ✓".encode()[:-1])
    assert whole_lines(path) == ["one", "zwei — ✓"]
    append_lines(path, ["three"])
    assert path.read_text(encoding="utf-8") == "one\nzwei — ✓\nthree\n"


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        write_whole(tmp_path, "text")


def test_a_folder_is_made_with_those_above_it(tmp_path):
    assert ready_folder(str(tmp_path / "a" / "b")).is_dir()
    assert ready_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"


@pytest.mark.parametrize("inside", ["", "/deeper"])
def test_a_file_in_the_way_is_named(tmp_path, inside):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^--out .*file.*: cannot make this folder \(.+\); name"):
        ready_folder(f"{tmp_path}/file{inside}")


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="cannot write into this folder"):
        ready_folder(str(tmp_path))
